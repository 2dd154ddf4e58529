import type { TraceKernel } from '../../op.js';
import { broadcastShape, transpose } from '../emit.js';
import type { GraphBuilder, Value } from '../graph.js';

function transposed(graph: GraphBuilder, value: Value, flag: unknown): Value {
  if (!flag) return value;
  const rank = value.shape.length;
  const permutation = value.shape.map((_, axis) => axis);
  permutation[rank - 1] = rank - 2;
  permutation[rank - 2] = rank - 1;
  return transpose(graph, value, permutation);
}

/** Matrix product over the last two axes; leading axes broadcast. */
export function matMul(graph: GraphBuilder, a: Value, b: Value): Value {
  const batch = broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const shape = [...batch, a.shape.at(-2)!, b.shape.at(-1)!];
  if (a.fill === 0 || b.fill === 0) return graph.fill(0, shape, 'float32');
  return graph.node('MatMul', [a, b], { shape, dtype: a.dtype });
}

export const matmulKernels: Record<string, TraceKernel> = {
  BatchMatMul: (graph, { a, b }, { transposeA, transposeB }) => [
    matMul(graph, transposed(graph, a!, transposeA), transposed(graph, b!, transposeB)),
  ],
};
