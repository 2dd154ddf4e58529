import { afterAll, describe, expect, test } from 'vitest';
import { gelu, geluTanh, ndarray, silu, tf } from '../src/index.js';
import { everySize } from './numerics/measure.js';
import { references } from './support/elementary-references.js';
import { loadableEngines } from './support/engines.js';

const engines = await loadableEngines();
afterAll(async () => {
  for (const engine of engines) await engine.dispose();
});

const sigmoid = references.sigmoid!;
const SELU = { scale: 1.0507009873554805, alpha: 1.6732632423543772 };
const density = (x: number) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
const distribution = (x: number) => (x === 0 ? 0.5 : references.gelu!(x) / x);

function geluTanhSlope(x: number): number {
  const scale = 2 * Math.sqrt(2 / Math.PI);
  const z = scale * (x + 0.044715 * x ** 3);
  const rise = x * scale * (1 + 3 * 0.044715 * x * x);
  const bend = sigmoid(z) * sigmoid(-z);
  return sigmoid(z) + (bend === 0 ? 0 : bend * rise);
}

/** Slopes in closed form; where float32 cannot hold them or the function is not defined, NaN. */
const SLOPES: Readonly<
  Record<string, readonly [op: (x: tf.Tensor) => tf.Tensor, slope: (x: number) => number]>
> = {
  exp: [tf.exp, Math.exp],
  expm1: [tf.expm1, Math.exp],
  log: [tf.log, (x) => (x > 0 ? 1 / x : Number.NaN)],
  log1p: [tf.log1p, (x) => (x > -1 ? 1 / (1 + x) : Number.NaN)],
  sqrt: [tf.sqrt, (x) => 0.5 / Math.sqrt(x)],
  tanh: [tf.tanh, (x) => 4 * sigmoid(2 * x) * sigmoid(-2 * x)],
  sigmoid: [tf.sigmoid, (x) => sigmoid(x) * sigmoid(-x)],
  softplus: [tf.softplus, sigmoid],
  logSigmoid: [tf.logSigmoid, (x) => sigmoid(-x)],
  elu: [tf.elu, (x) => (x >= 0 ? 1 : Math.exp(x))],
  selu: [tf.selu, (x) => SELU.scale * (x > 0 ? 1 : SELU.alpha * Math.exp(x))],
  sin: [tf.sin, Math.cos],
  cos: [tf.cos, (x) => -Math.sin(x)],
  tan: [tf.tan, (x) => 1 / Math.cos(x) ** 2],
  asin: [tf.asin, (x) => 1 / Math.sqrt((1 - x) * (1 + x))],
  acos: [tf.acos, (x) => -1 / Math.sqrt((1 - x) * (1 + x))],
  atan: [tf.atan, (x) => 1 / (1 + x * x)],
  sinh: [tf.sinh, Math.cosh],
  cosh: [tf.cosh, Math.sinh],
  asinh: [tf.asinh, (x) => 1 / Math.sqrt(1 + x * x)],
  acosh: [tf.acosh, (x) => (x > 1 ? 1 / Math.sqrt((x - 1) * (x + 1)) : Number.NaN)],
  atanh: [tf.atanh, (x) => (Math.abs(x) < 1 ? 1 / ((1 - x) * (1 + x)) : Number.NaN)],
  erf: [tf.erf, (x) => (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x)],
  silu: [silu, (x) => sigmoid(x) + x * sigmoid(x) * sigmoid(-x)],
  gelu: [gelu, (x) => distribution(x) + x * density(x)],
  geluTanh: [geluTanh, geluTanhSlope],
};

const inputs = everySize();

describe.each(engines.map((engine) => [engine.name, engine] as const))('gradients on %s', (_name, engine) => {
  test.each(Object.entries(SLOPES))(
    'of %s are finite and exact wherever float32 can hold them',
    async (_op, [op, slope]) => {
      const compiled = engine.compile((x: tf.Tensor) => tf.grad((y) => tf.sum(op(y)))(x));
      const output = await compiled(ndarray(inputs, [inputs.length]) as never);
      const actual = await output.data();
      const wrong: string[] = [];
      inputs.forEach((x, index) => {
        const want = slope(x);
        if (!Number.isFinite(Math.fround(want))) return;
        // Slopes near 0 are differences of numbers near 1, from the function's value: so many digits they have.
        const error = Math.abs(actual[index]! - want) / Math.max(1, Math.abs(want));
        if (!(error <= 4e-6)) wrong.push(`${actual[index]} instead of ${want} at ${x}`);
      });
      expect(wrong.slice(0, 5)).toEqual([]);
      output.dispose();
      await compiled.dispose();
    },
  );
});
