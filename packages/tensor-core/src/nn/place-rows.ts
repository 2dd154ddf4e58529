import { formatShape, InputError } from '@palimpsest/base';
import { defineOp, type TensorSpec } from '../op.js';
import { tf } from '../tf.js';
import { cast, expand, reshape } from '../trace/emit.js';

/** @throws InputError unless there are rows `[rows, width]` and int32 places `[count]`. */
function checkPlaces(name: string, rows: TensorSpec, places: TensorSpec): void {
  if (rows.shape.length === 2 && places.shape.length === 1 && places.dtype === 'int32') return;
  throw new InputError(
    `${name} needs rows [rows, width] and int32 places [count], but got ${formatShape(rows.shape)} and ${places.dtype} ${formatShape(places.shape)}.`,
  );
}

const pick: ReturnType<typeof defineOp<Record<string, never>>> = defineOp<Record<string, never>>({
  name: 'PickRows',
  infer: ([rows, places]) => {
    checkPlaces('Picking rows', rows!, places!);
    return [{ shape: [places!.shape[0]!, rows!.shape[1]!], dtype: 'float32' }];
  },
  compose: ([rows, places]) => [tf.gather(rows!, places as tf.Tensor1D)],
  trace: (graph, [rows, places]) => {
    const shape = [places!.shape[0]!, rows!.shape[1]!];
    return [graph.node('Gather', [rows!, places!], { shape, dtype: 'float32' }, { axis: 0 })];
  },
  gradient: ({ outputGradients: [dy], inputs: [rows, places] }) => [
    spread([dy!, places!], { height: rows!.shape[0]! })[0],
    undefined,
  ],
});

const spread: ReturnType<typeof defineOp<{ height: number }>> = defineOp<{ height: number }>({
  name: 'SpreadRows',
  infer: ([rows, places], { height }) => {
    checkPlaces('Spreading rows', rows!, places!);
    if (rows!.shape[0] !== places!.shape[0] || rows!.shape[0]! > height) {
      throw new InputError(
        `Spreading rows needs a place of ${height} for each row, but got ${rows!.shape[0]} rows and ${places!.shape[0]} places.`,
      );
    }
    return [{ shape: [height, rows!.shape[1]!], dtype: 'float32' }];
  },
  compose: ([rows, places], { height }) => [
    tf.scatterND(tf.expandDims(places!, 1), rows!, [height, rows!.shape[1]!]),
  ],
  trace: (graph, [rows, places], { height }) => {
    const table = graph.fill(0, [height, rows!.shape[1]!], 'float32');
    const column = reshape(graph, cast(graph, places!, graph.indexType), [places!.shape[0]!, 1]);
    if (graph.bits === 64) return [graph.node('ScatterND', [table, column, rows!], table)];
    const cells = expand(graph, column, rows!.shape);
    return [graph.node('ScatterElements', [table, cells, rows!], table, { axis: 0 })];
  },
  gradient: ({ outputGradients: [dy], inputs: [, places] }) => [pick([dy!, places!], {})[0], undefined],
});

/**
 * Rows of a table, each at most once, so that the gradient is moved and not added up; `embedding` takes rows more than once.
 * @param rows `[rows, width]`
 * @param places int32 `[count]`, distinct, each in [0, rows)
 * @returns `[count, width]`
 * @throws InputError when the shapes do not fit.
 */
export function pickRows(rows: tf.Tensor, places: tf.Tensor): tf.Tensor {
  return pick([rows, places], {})[0]!;
}

/**
 * Puts rows at places of a table of zeros: what `pickRows` undoes.
 * @param rows `[count, width]`
 * @param places int32 `[count]`, distinct, each in [0, height)
 * @returns `[height, width]`
 * @throws InputError when the shapes do not fit.
 */
export function spreadRows(rows: tf.Tensor, places: tf.Tensor, height: number): tf.Tensor {
  return spread([rows, places], { height })[0]!;
}
