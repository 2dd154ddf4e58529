import { defineOp } from '../op.js';
import { tf } from '../tf.js';
import { binary, concat, reshape, slice, unary } from '../trace/emit.js';
import type { GraphBuilder, Value } from '../trace/graph.js';

interface Direction {
  readonly backwards: boolean;
}

/** [a cos − b sin, b cos + a sin] for the halves a and b of the last axis; the angles broadcast. */
export function rotateHalves(x: tf.Tensor, cos: tf.Tensor, sin: tf.Tensor): tf.Tensor {
  const [a, b] = tf.split(x, 2, -1) as [tf.Tensor, tf.Tensor];
  return tf.concat([tf.sub(tf.mul(a, cos), tf.mul(b, sin)), tf.add(tf.mul(b, cos), tf.mul(a, sin))], -1);
}

/**
 * `rotateHalves` of `[texts, heads, rows, width]` by angles `[texts, rows, width / 2]`, as one op. Its gradient turns back by the same
 * angles, so that the tape holds no slices, whose gradients would be padded copies of the whole tensor.
 */
export const rotateOp: ReturnType<typeof defineOp<Direction>> = defineOp<Direction>({
  name: 'Rotate',
  infer: ([x]) => [x!],
  compose: ([x, cos, sin], { backwards }) => [
    rotateHalves(x!, tf.expandDims(cos!, 1), tf.expandDims(backwards ? tf.neg(sin!) : sin!, 1)),
  ],
  trace: (graph, [x, cos, sin], { backwards }) => {
    const signed = backwards ? unary(graph, 'Neg', sin!) : sin!;
    // Single steps keep to standard ONNX, so that a model saved as a file runs anywhere.
    return [x!.shape[2] === 1 ? standardNodes(graph, x!, cos!, signed) : fusedNode(graph, x!, cos!, signed)];
  },
  gradient: ({ outputGradients: [dy], inputs: [, cos, sin], attributes: { backwards } }) => [
    rotateOp([dy!, cos!, sin!], { backwards: !backwards })[0],
    undefined,
    undefined,
  ],
});

/** x · [cos, cos] + [−b, a] · [sin, sin], with the tables doubled once for all layers. */
function standardNodes(graph: GraphBuilder, x: Value, cos: Value, sin: Value): Value {
  const [texts, rows, half] = cos.shape as [number, number, number];
  const table = (first: Value, second: Value) =>
    reshape(graph, concat(graph, [first, second], 2), [texts, 1, rows, 2 * half]);
  const part = (from: number) => slice(graph, x, [0, 0, 0, from], [...x.shape.slice(0, 3), half]);
  const swapped = concat(graph, [part(half), part(0)], 3);
  return binary(
    graph,
    'Add',
    binary(graph, 'Mul', x, table(cos, cos)),
    binary(graph, 'Mul', swapped, table(unary(graph, 'Neg', sin), sin)),
  );
}

/** ONNX Runtime's own node, on every provider. */
function fusedNode(graph: GraphBuilder, x: Value, cos: Value, sin: Value): Value {
  const [texts, rows, half] = cos.shape as [number, number, number];
  // One offset for tables that all texts share, else a row of the table for every text and token.
  const places =
    texts > 1
      ? reshape(graph, graph.int64(Array.from({ length: texts * rows }, (_, row) => row)), [texts, rows])
      : graph.int64([0]);
  const tables = [cos, sin].map((value) => reshape(graph, value, [texts * rows, half]));
  return graph.node('RotaryEmbedding', [x, places, ...tables], x, { interleaved: 0 }, 'com.microsoft');
}
