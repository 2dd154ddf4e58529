import { defineOp, type GraphBuilder, tf, type Value } from '@palimpsest/tensor-core';

interface Orientation {
  readonly transposed: boolean;
}

/**
 * A product of a few rows with the rows of each group. In a traced graph every row is a product of its own, since the
 * runtime multiplies one row with a matrix as it lies in memory, but copies the matrix for two.
 */
const groupProductOp: ReturnType<typeof defineOp<Orientation>> = defineOp<Orientation>({
  name: 'GroupProduct',
  infer: ([rows, matrix], { transposed }) => [
    { shape: [...rows!.shape.slice(0, -1), matrix!.shape.at(transposed ? -2 : -1)!], dtype: 'float32' },
  ],
  compose: ([rows, matrix], { transposed }) => [tf.matMul(rows!, matrix!, false, transposed)],
  trace: (graph, [rows, matrix], { transposed }) => {
    const [batch, groups, count, inner] = rows!.shape as [number, number, number, number];
    const [, , height, width] = matrix!.shape as [number, number, number, number];
    const columns = transposed ? height : width;
    const apart = reshaped(graph, rows!, [batch, groups, count, 1, inner]);
    const shared = reshaped(graph, matrix!, [batch, groups, 1, height, width]);
    const factor = transposed
      ? graph.node(
          'Transpose',
          [shared],
          { shape: [batch, groups, 1, width, height], dtype: 'float32' },
          { perm: [0, 1, 2, 4, 3] },
        )
      : shared;
    const shape = [batch, groups, count, 1, columns];
    const product = graph.node('MatMul', [apart, factor], { shape, dtype: 'float32' });
    return [reshaped(graph, product, [batch, groups, count, columns])];
  },
  gradient: ({ outputGradients: [dy], inputs: [rows, matrix], attributes: { transposed } }) =>
    transposed
      ? [tf.matMul(dy!, matrix!), tf.matMul(dy!, rows!, true)]
      : [tf.matMul(dy!, matrix!, false, true), tf.matMul(rows!, dy!, true)],
});

const reshaped = (graph: GraphBuilder, value: Value, shape: readonly number[]): Value =>
  graph.node('Reshape', [value, graph.int64(shape)], { shape, dtype: value.dtype });

/**
 * Rows of each group times the matrix of the group, for few rows.
 * @param rows `[batch, groups, count, inner]`
 * @param matrix `[batch, groups, inner, columns]`, or with `transposed` `[batch, groups, columns, inner]`
 * @returns `[batch, groups, count, columns]`
 */
export function groupProduct(rows: tf.Tensor, matrix: tf.Tensor, transposed: boolean): tf.Tensor {
  if (rows.shape[2] === 1) return tf.matMul(rows, matrix, false, transposed);
  return groupProductOp([rows, matrix], { transposed })[0]!;
}
