import { applyRotary, defineOp, type GraphBuilder, sizeOf, tf, type Value } from '@palimpsest/tensor-core';
import type { Angles } from './position-angles.js';

interface Direction {
  readonly backwards: boolean;
}

/**
 * Rotary embedding as one op. Its gradient turns back by the same angles, so that the tape holds no slices, whose
 * gradients would be padded copies of the whole tensor.
 */
const rotateOp: ReturnType<typeof defineOp<Direction>> = defineOp<Direction>({
  name: 'Rotate',
  infer: ([x]) => [x!],
  compose: ([x, cos, sin], { backwards }) => {
    const table = (angles: tf.Tensor) => (angles.rank === 3 ? tf.expandDims(angles, 1) : angles);
    return [applyRotary(x!, table(cos!), table(backwards ? tf.neg(sin!) : sin!))];
  },
  trace: (graph, [x, cos, sin], { backwards }) => {
    const signed = backwards ? graph.node('Neg', [sin], sin!) : sin!;
    // Single steps keep to standard ONNX, so that a model saved as a file runs anywhere.
    return [x!.shape[2] === 1 ? standardNodes(graph, x!, cos!, signed) : fusedNode(graph, x!, cos!, signed)];
  },
  gradient: ({ outputGradients: [dy], inputs: [, cos, sin], attributes: { backwards } }) => [
    rotateOp([dy!, cos!, sin!], { backwards: !backwards })[0],
    undefined,
    undefined,
  ],
});

const reshaped = (graph: GraphBuilder, value: Value, shape: readonly number[]): Value =>
  graph.node('Reshape', [value, graph.int64(shape)], { shape, dtype: value.dtype });

/** x · [cos, cos] + [−b, a] · [sin, sin], with the tables doubled once for all layers. */
function standardNodes(graph: GraphBuilder, x: Value, cos: Value, sin: Value): Value {
  const [batch, , time, width] = x.shape as [number, number, number, number];
  const half = width / 2;
  const table = (value: Value, first: Value) => {
    const rows = value.shape.length === 3 ? batch : 1;
    const joined = { shape: [...value.shape.slice(0, -1), width], dtype: 'float32' as const };
    return reshaped(graph, graph.node('Concat', [first, value], joined, { axis: -1 }), [
      rows,
      1,
      time,
      width,
    ]);
  };
  const part = (from: number) => {
    const [begin, end] = [graph.int64([from]), graph.int64([from + half])];
    return graph.node('Slice', [x, begin, end, graph.int64([3])], {
      shape: [...x.shape.slice(0, 3), half],
      dtype: 'float32',
    });
  };
  const swapped = graph.node('Concat', [part(half), part(0)], x, { axis: 3 });
  const negative = graph.node('Neg', [sin], sin);
  return graph.node(
    'Add',
    [graph.node('Mul', [x, table(cos, cos)], x), graph.node('Mul', [swapped, table(sin, negative)], x)],
    x,
  );
}

/** ONNX Runtime's own node, on every provider. */
function fusedNode(graph: GraphBuilder, x: Value, cos: Value, sin: Value): Value {
  const half = cos.shape.at(-1)!;
  const rows = sizeOf(cos.shape) / half;
  const [batch, , time] = x.shape as [number, number, number];
  // One offset for tables that all texts share, else a row of the table for every text and token.
  const places =
    cos.shape.length === 3
      ? reshaped(graph, graph.int64(Array.from({ length: rows }, (_, row) => row)), [batch, time])
      : graph.int64([0]);
  const tables = [cos, sin].map((value) => reshaped(graph, value, [rows, half]));
  return graph.node('RotaryEmbedding', [x, places, ...tables], x, { interleaved: 0 }, 'com.microsoft');
}

/**
 * Rotates the halves of the last axis by the angles of each row (Su et al. 2021): [a cos − b sin, b cos + a sin].
 * @param x `[batch, heads, time, width]`
 * @param angles `[time, width / 2]` or `[batch, time, width / 2]`
 */
export function rotate(x: tf.Tensor, { cos, sin }: Angles): tf.Tensor {
  return rotateOp([x, cos, sin], { backwards: false })[0]!;
}
