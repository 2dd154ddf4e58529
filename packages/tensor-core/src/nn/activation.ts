import { defineOp } from '../op.js';
import { tf } from '../tf.js';

const NORMAL_DENSITY = 1 / Math.sqrt(2 * Math.PI);
const TANH_SCALE = Math.sqrt(2 / Math.PI);
const TANH_CUBIC = 0.044715;

const normalCdf = (x: tf.Tensor) => tf.mul(tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1), 0.5);

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

const tanhOf = (x: tf.Tensor) =>
  tf.tanh(tf.mul(x, tf.add(tf.mul(tf.square(x), TANH_SCALE * TANH_CUBIC), TANH_SCALE)));

const approximateGelu = defineOp<Record<string, never>>({
  name: 'GeluTanh',
  infer: ([x]) => [x!],
  compose: ([x]) => [tf.mul(tf.mul(x!, 0.5), tf.add(tanhOf(x!), 1))],
  trace: (graph, [x]) => [graph.node('Gelu', [x!], x!, { approximate: 'tanh' })],
  gradient: ({ outputGradients: [dy], inputs: [x] }) => {
    const tanh = tanhOf(x!);
    const slope = tf.add(tf.mul(tf.square(x!), 1.5 * TANH_SCALE * TANH_CUBIC), 0.5 * TANH_SCALE);
    const curved = tf.mul(tf.mul(x!, slope), tf.sub(1, tf.square(tanh)));
    return [tf.mul(dy!, tf.add(tf.add(tf.mul(tanh, 0.5), 0.5), curved))];
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
