import { defineOp } from '../op.js';
import { tf } from '../tf.js';
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

// ½ (1 + tanh z) = σ(2z), with 2z = x (LINEAR + CUBIC x²): a sigmoid takes fewer ops than a tanh.
const LINEAR = 2 * TANH_SCALE;
const CUBIC = LINEAR * 0.044715;
const gateOf = (x: tf.Tensor, square: tf.Tensor) =>
  tf.sigmoid(tf.mul(x, tf.add(tf.mul(square, CUBIC), LINEAR)));

const approximateGelu = defineOp<Record<string, never>>({
  name: 'GeluTanh',
  infer: ([x]) => [x!],
  compose: ([x]) => [tf.mul(x!, gateOf(x!, tf.square(x!)))],
  trace: (graph, [x]) => [graph.node('Gelu', [x!], x!, { approximate: 'tanh' })],
  gradient: ({ outputGradients: [dy], inputs: [x], outputs: [y] }) => {
    const square = tf.square(x!);
    const gate = gateOf(x!, square);
    const slope = tf.mul(y!, tf.add(tf.mul(square, 3 * CUBIC), LINEAR));
    return [tf.mul(dy!, tf.add(gate, tf.mul(tf.sub(1, gate), slope)))];
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
    const gate = graph.node('Sigmoid', [x!], x!);
    return [graph.node('Mul', [x!, gate], x!), gate];
  },
  gradient: ({ outputGradients: [dy], outputs: [y, gate] }) => [
    tf.mul(dy!, tf.add(y!, tf.mul(gate!, tf.sub(1, y!)))),
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
