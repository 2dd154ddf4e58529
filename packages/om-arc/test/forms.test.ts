import {
  createEngine,
  crossEntropy,
  type Engine,
  type NDArray,
  ndarray,
  runOnce,
  tf,
  treeLeaves,
  valueAndGradient,
} from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createOmModel, OmLLM, type OmOptions, type SegmentsOptions } from '../src/index.js';
import type { OmParams } from '../src/parameters.js';
import { distance, leaky, lively, randomIds, small, variants } from './support/variants.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('onnx');
});
afterAll(() => engine.dispose());

const key = ndarray(Int32Array.of(5, 7), [2], 'int32');

/** Loss, logits and all gradients of a text of two segments and a half, in one form. */
async function differentiate(options: OmOptions, params: OmParams<NDArray>, form: SegmentsOptions) {
  const model = new OmLLM(options);
  const run = (tree: OmParams, ids: tf.Tensor, dropoutKey: tf.Tensor) => {
    const { gradients, aux } = valueAndGradient((weights: OmParams) => {
      const { logits, states } = model.forward(weights, ids, [], false, { ...form, dropoutKey });
      const own = tf.slice(logits, [0, 0, 0], [-1, -1, options.vocabSize]);
      const rows = own.shape[0]! * own.shape[1]!;
      const labels = tf.reshape(tf.slice(ids, [0, ids.shape[1]! - own.shape[1]!], [-1, own.shape[1]!]), [
        rows,
      ]);
      const loss = crossEntropy(tf.reshape(own, [rows, options.vocabSize]), labels);
      const pull = states.reduce((sum, state) => tf.add(sum, tf.mean(tf.square(state))), tf.scalar(0));
      return [tf.add(loss, pull), { own, states }] as const;
    }, tree);
    return { gradients, result: aux };
  };
  const result = await runOnce(engine, run, params as never, randomIds(2, 15, small.vocabSize), key);
  return new Map(treeLeaves<NDArray>(result).map(({ path, leaf }) => [path, leaf.data]));
}

const alike = Object.entries(variants).filter(([, variant]) => variant.finalMlpMultiplier === undefined);
const chosen = [
  'default',
  'unstacked differential with positions',
  'Hopfield',
  'gated state',
  'readme edition, Hopfield',
];

describe.each([...alike.filter(([name]) => chosen.includes(name)), ...Object.entries(leaky).slice(0, 1)])(
  '%s',
  (_name, variant) => {
    const options: OmOptions = {
      ...small,
      ...variant,
      numLayers: 3,
      dropout: 0.2,
      attnDropout: 0.1,
      attnLogitDropout: 0.1,
    };
    const params = lively((rng) => createOmModel(options).init(rng), 1, 0.3);

    it('is the same as a wavefront, and with its steps computed again, gradients and dropout included', async () => {
      const plain = await differentiate(options, params, { form: 'sequential' });
      const wave = await differentiate(options, params, { form: 'wavefront' });
      const again = await differentiate(options, params, { form: 'wavefront', recompute: true });
      expect([...wave.keys()]).toEqual([...plain.keys()]);
      for (const [path, values] of plain) {
        const size = Math.max(...Array.from(values, Math.abs));
        const scaled = (other: ArrayLike<number>) => Array.from(other, (value) => value / (size || 1));
        expect(distance(scaled(wave.get(path)!), scaled(values)), path).toBeLessThan(1e-3);
        expect(distance(scaled(again.get(path)!), scaled(values)), path).toBeLessThan(1e-3);
      }
    }, 120_000);
  },
);

it('cuts gradients where it is told to, in both forms alike, and nothing else', async () => {
  const options = { ...small, numLayers: 2 };
  const params = lively((rng) => createOmModel(options).init(rng));
  const whole = await differentiate(options, params, { form: 'sequential' });
  const cut = await differentiate(options, params, { form: 'sequential', truncateEvery: 1 });
  const wave = await differentiate(options, params, { form: 'wavefront', truncateEvery: 1 });
  expect(cut.get('result.own')).toEqual(whole.get('result.own'));
  const path = 'gradients.layers.initState';
  expect(distance(cut.get(path)!, whole.get(path)!)).toBeGreaterThan(1e-4);
  expect(distance(wave.get(path)!, cut.get(path)!)).toBeLessThan(1e-4);
});
