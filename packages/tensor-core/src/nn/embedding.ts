import { sizeOf } from '../ndarray.js';
import { defineOp } from '../op.js';
import { tf } from '../tf.js';

/** Vocabularies up to this size get their gradient as a one-hot matrix product, which every engine runs fast. */
const ONE_HOT_LIMIT = 1024;

const lookup = defineOp<Record<string, never>>({
  name: 'Embedding',
  infer: ([table, ids]) => [{ shape: [...ids!.shape, table!.shape[1]!], dtype: 'float32' }],
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
    return [tf.matMul(tf.oneHot(flatIds, vocabulary, 1, 0, 'float32'), rows, true, false), undefined];
  },
});

/**
 * Rows of a table.
 * @param table `[vocabulary, width]`
 * @param ids int32 `[...]`, each in [0, vocabulary)
 * @returns `[..., width]`
 */
export function embedding(table: tf.Tensor, ids: tf.Tensor): tf.Tensor {
  return lookup([table, ids], {})[0]!;
}
