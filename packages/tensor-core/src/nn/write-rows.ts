import { formatShape, InputError, overwriteRows, type TypedArray } from '@palimpsest/base';
import { defineOp, type HostTensor } from '../op.js';
import { tf } from '../tf.js';
import { cast, expand, reshape } from '../trace/emit.js';

const AXIS = 2;

const write: ReturnType<typeof defineOp<Record<string, never>>> = defineOp<Record<string, never>>({
  name: 'WriteRows',
  infer: ([target, rows, slots]) => {
    const fits =
      target!.shape.length >= 3 &&
      slots!.dtype === 'int32' &&
      target!.dtype === rows!.dtype &&
      rows!.shape.join() === [...slots!.shape, ...target!.shape.slice(AXIS + 1)].join() &&
      slots!.shape.slice(0, AXIS).join() === target!.shape.slice(0, AXIS).join();
    if (!fits) {
      throw new InputError(
        `Rows are written into a target [batch, heads, slots, ...] from rows [batch, heads, count, ...] at int32 slots [batch, heads, count], but got ${formatShape(target!.shape)}, ${formatShape(rows!.shape)} and ${formatShape(slots!.shape)}.`,
      );
    }
    return [target!];
  },
  compute: ([target, rows, slots]) => [writeOnHost(target!, rows!, slots!)],
  trace: (graph, [target, rows, slots]) => {
    const places = cast(graph, slots!, graph.indexType);
    const raised = reshape(graph, places, [...places.shape, ...rows!.shape.slice(AXIS + 1).map(() => 1)]);
    const everywhere = expand(graph, raised, rows!.shape);
    const written = graph.node('ScatterElements', [target!, everywhere, rows!], target!, { axis: AXIS });
    graph.rowWrites.set(written, { target: target!, rows: rows!, slots: slots! });
    return [written];
  },
  gradient: ({ outputGradients: [dy], inputs: [, rows, slots] }) => [
    write([dy!, tf.zerosLike(rows!), slots!], {})[0],
    readRows(dy!, slots!),
    undefined,
  ],
});

function writeOnHost(target: HostTensor, rows: HostTensor, slots: HostTensor): TypedArray {
  const result = target.data.slice() as TypedArray;
  overwriteRows(result, target.shape, rows.data, slots.data);
  return result;
}

/**
 * Reads rows of axis 2, the same slots whatever the later axes.
 * @param target `[batch, heads, slots, ...]`
 * @param slots int32 `[batch, heads, count]`
 * @returns `[batch, heads, count, ...]`
 */
export function readRows(target: tf.Tensor, slots: tf.Tensor): tf.Tensor {
  const [batch, heads, extent] = target.shape as [number, number, number];
  const rest = target.shape.slice(AXIS + 1);
  const lists = batch * heads;
  const starts = tf.tensor3d(
    Int32Array.from({ length: lists }, (_, list) => list * extent),
    [batch, heads, 1],
    'int32',
  );
  const flat = tf.reshape(target, [lists * extent, ...rest]);
  return tf.gather(flat, tf.add(slots, starts));
}

/**
 * Overwrites rows of axis 2. A compiled function that is donated the target, and reads it nowhere else, writes into its
 * memory instead of copying it, on engines that can.
 * @param target `[batch, heads, slots, ...]`, of any dtype
 * @param rows `[batch, heads, count, ...]`
 * @param slots int32 `[batch, heads, count]`, in [0, slots) and distinct within a list
 * @returns the target with the rows in it
 * @throws InputError when the shapes do not fit.
 */
export function writeRows(target: tf.Tensor, rows: tf.Tensor, slots: tf.Tensor): tf.Tensor {
  return write([target, rows, slots], {})[0]!;
}
