import { defineOp } from '../op.js';
import { tf } from '../tf.js';
import { sigmoid } from '../trace/elementary.js';
import { binary, unary } from '../trace/emit.js';

const NORMAL_DENSITY = 1 / Math.sqrt(2 * Math.PI);
const TANH_SCALE = Math.sqrt(2 / Math.PI);

/** Φ(x), the distribution function of the normal distribution; part of a gradient only, so it has none itself. */
const normalCdfOp = defineOp<Record<string, never>>({
  name: 'NormalCdf',
  infer: ([x]) => [x!],
  compose: ([x]) => [tf.mul(tf.add(tf.erf(tf.mul(x!, Math.SQRT1_2)), 1), 0.5)],
  trace: (graph, [x]) => {
    const erf = unary(graph, 'Erf', binary(graph, 'Mul', x!, graph.scalar(Math.SQRT1_2)));
    // (erf + 1) / 2 in one node: the values lie in [0, 1], so that the hard sigmoid's limits do nothing.
    return [unary(graph, 'HardSigmoid', erf, 'float32', { alpha: { float: 0.5 }, beta: { float: 0.5 } })];
  },
});

const normalCdf = (x: tf.Tensor) => normalCdfOp([x], {})[0]!;

const exactGelu = defineOp<Record<string, never>>({
  name: 'Gelu',
  infer: ([x]) => [x!],
  compose: ([x]) => [tf.mul(x!, normalCdf(x!))],
  trace: (graph, [x]) => [graph.node('Gelu', [x!], x!, { approximate: 'none' })],
  gradient: ({ outputGradients: [dy], inputs: [x] }) => {
    const density = tf.mul(tf.exp(tf.mul(tf.square(x!), -0.5)), NORMAL_DENSITY);
    return [tf.mul(dy!, tf.add(normalCdf(x!), tf.mul(x!, density)))];
  },
});

/** Gaussian error linear unit, exact: x Φ(x) (Hendrycks & Gimpel 2016). */
export function gelu(x: tf.Tensor): tf.Tensor {
  return exactGelu([x], {})[0]!;
}

// ½ (1 + tanh z) = σ(2z), with 2z = x (LINEAR + CUBIC x²): unlike 1 + tanh, the sigmoid keeps its digits where z is
// very negative, and the gradient needs it again.
const LINEAR = 2 * TANH_SCALE;
const CUBIC = LINEAR * 0.044715;
/** Beyond it the gate is 0 or 1 in float32; the bound keeps the polynomial in range. */
const LARGEST_SQUARE = 1e4;
const boundedSquare = (x: tf.Tensor) => tf.minimum(tf.square(x), LARGEST_SQUARE);
const gateOf = (x: tf.Tensor, square: tf.Tensor) =>
  tf.sigmoid(tf.mul(x, tf.add(tf.mul(square, CUBIC), LINEAR)));

const approximateGelu = defineOp<Record<string, never>>({
  name: 'GeluTanh',
  infer: ([x]) => [x!],
  compose: ([x]) => [tf.mul(x!, gateOf(x!, boundedSquare(x!)))],
  trace: (graph, [x]) => {
    const square = binary(graph, 'Min', binary(graph, 'Mul', x!, x!), graph.scalar(LARGEST_SQUARE));
    const factor = binary(
      graph,
      'Add',
      binary(graph, 'Mul', square, graph.scalar(Math.fround(CUBIC))),
      graph.scalar(Math.fround(LINEAR)),
    );
    return [binary(graph, 'Mul', x!, sigmoid(graph, binary(graph, 'Mul', x!, factor)))];
  },
  gradient: ({ outputGradients: [dy], inputs: [x], outputs: [y] }) => {
    const square = boundedSquare(x!);
    const gate = gateOf(x!, square);
    const rise = tf.add(tf.mul(square, 3 * CUBIC), LINEAR);
    // In this order, because the product with the gate's complement is 0 where the others would overflow.
    return [tf.mul(dy!, tf.add(gate, tf.mul(tf.mul(tf.sub(1, gate), y!), rise)))];
  },
});

/** The tanh approximation of gelu that GPT-2 uses: ½ x (1 + tanh(√(2/π)(x + 0.044715 x³))). */
export function geluTanh(x: tf.Tensor): tf.Tensor {
  return approximateGelu([x], {})[0]!;
}

const siluOp = defineOp<Record<string, never>>({
  name: 'Silu',
  infer: ([x]) => [x!, x!],
  compose: ([x]) => {
    const gate = tf.sigmoid(x!);
    return [tf.mul(x!, gate), gate];
  },
  trace: (graph, [x]) => {
    const gate = sigmoid(graph, x!);
    return [graph.node('Mul', [x!, gate], x!), gate];
  },
  gradient: ({ outputGradients: [dy], outputs: [y, gate] }) => [
    tf.mul(dy!, tf.add(gate!, tf.mul(y!, tf.sub(1, gate!)))),
  ],
});

/** Sigmoid linear unit, also called swish: x σ(x). */
export function silu(x: tf.Tensor): tf.Tensor {
  return siluOp([x], {})[0]!;
}

/** Gated linear unit (Dauphin et al. 2017; variants: Shazeer 2020): σ(gate) · value, both `[..., width]`. */
export const glu = (gate: tf.Tensor, value: tf.Tensor): tf.Tensor => tf.mul(tf.sigmoid(gate), value);
/** `glu` with silu as the gate's activation, as in Llama. */
export const swiGlu = (gate: tf.Tensor, value: tf.Tensor): tf.Tensor => tf.mul(silu(gate), value);
/** `glu` with exact gelu as the gate's activation. */
export const geGlu = (gate: tf.Tensor, value: tf.Tensor): tf.Tensor => tf.mul(gelu(gate), value);
/** `glu` with relu as the gate's activation. */
export const reGlu = (gate: tf.Tensor, value: tf.Tensor): tf.Tensor => tf.mul(tf.relu(gate), value);
