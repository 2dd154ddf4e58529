import { formatShape, InputError, sizeOf } from '@palimpsest/base';
import { defineOp } from '../op.js';
import { tf } from '../tf.js';

/** Vocabularies up to this size get their gradient as a one-hot matrix product, which every engine runs fast. */
const ONE_HOT_LIMIT = 1024;

const lookup = defineOp<Record<string, never>>({
  name: 'Embedding',
  infer: ([table, ids]) => {
    if (table!.shape.length !== 2 || ids!.dtype !== 'int32') {
      throw new InputError(
        `An embedding needs a table [vocabulary, width] and int32 ids, but got shape ${formatShape(table!.shape)} and ${ids!.dtype} ids.`,
      );
    }
    return [{ shape: [...ids!.shape, table!.shape[1]!], dtype: 'float32' }];
  },
  compose: ([table, ids]) => [tf.gather(table!, ids!)],
  trace: (graph, [table, ids]) => {
    const shape = [...ids!.shape, table!.shape[1]!];
    return [graph.node('Gather', [table!, ids!], { shape, dtype: 'float32' }, { axis: 0 })];
  },
  gradient: ({ outputGradients: [dy], inputs: [table, ids] }) => {
    const [vocabulary, width] = table!.shape as [number, number];
    const count = sizeOf(ids!.shape);
    const rows = tf.reshape(dy!, [count, width]);
    const flatIds = tf.reshape(ids!, [count]) as tf.Tensor1D;
    if (vocabulary > ONE_HOT_LIMIT) return [tf.unsortedSegmentSum(rows, flatIds, vocabulary), undefined];
    // The one-hot matrix is made transposed, [vocabulary, count]: no transposition, no flag that is slow on wasm.
    const everyId = tf.range(0, vocabulary, 1, 'int32');
    const isHere = tf.equal(tf.reshape(everyId, [vocabulary, 1]), tf.reshape(flatIds, [1, count]));
    return [tf.matMul(tf.cast(isHere, 'float32') as tf.Tensor2D, rows as tf.Tensor2D), undefined];
  },
});

/**
 * Rows of a table.
 * @param table `[vocabulary, width]`
 * @param ids int32 `[...]`, each in [0, vocabulary)
 * @returns `[..., width]`
 * @throws InputError when the table has no two axes or the ids are no int32.
 */
export function embedding(table: tf.Tensor, ids: tf.Tensor): tf.Tensor {
  return lookup([table, ids], {})[0]!;
}
