import type { TransformerParameters } from '@palimpsest/backbone';
import {
  createEngine,
  crossEntropy,
  type NDArray,
  ndarray,
  runOnce,
  tf,
  treeToRecord,
  valueAndGradient,
} from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { type AdapterParameters, crossBundlePrefix, MemLLM4, Trainer4 } from '../src/index.js';
import { encodeAll } from '../src/model/adapters.js';
import { batchLosses, type LossBatch } from '../src/training/losses.js';
import { TrainingTexts } from '../src/training/training-texts.js';
import { maxDifference } from './support/engine.js';
import { wordModel } from './support/word-model.js';

/** Of 4 to 16 tokens, and one that has no two halves. */
const TEXTS = [
  'My dog is called Rufus.',
  'On Sundays my sister plays the harmonica in the garden behind the house.',
  'Go now',
  'The locker opens with 4580.',
  'It rains a lot.',
];

describe.each(['cpu', 'onnx'] as const)(
  'the trainer and the published schedule of single passes (%s)',
  (name) => {
    it('have the same anchor loss and gradients', async () => {
      const engine = await createEngine(name, { threads: 1 });
      const memory = new MemLLM4(wordModel(), { engine, seed: 4 });
      const { config, text } = memory;
      const { texts, losses: batch } = await new TrainingTexts(memory).of(TEXTS);

      const together = (
        weights: TransformerParameters,
        own: AdapterParameters,
        given: LossBatch<tf.Tensor>,
      ) =>
        valueAndGradient(
          (adapters: AdapterParameters) =>
            batchLosses(config, text.model, weights, adapters, given).prefixSemanticAnchor,
          own,
        );
      // Each text by itself, without padding, with logits of every token.
      const halves = TEXTS.map((one) => text.encode(one, false)).filter((ids) => ids.length >= 4);
      expect(halves.length).toBe(4);
      const queries: NDArray[] = [];
      for (const ids of halves) queries.push(await memory.pool([ids.slice(0, Math.floor(ids.length / 2))]));
      const hidden: NDArray[] = [];
      for (const { ids } of texts) hidden.push(await memory.pool([ids]));
      const states = ndarray(Float32Array.from(hidden.flatMap(({ data }) => [...data])), [
        TEXTS.length,
        config.dLLM,
      ]);
      const alone = (
        weights: TransformerParameters,
        own: AdapterParameters,
        asked: readonly tf.Tensor[],
        pooled: tf.Tensor,
        centroids: tf.Tensor,
      ) =>
        valueAndGradient((adapters: AdapterParameters) => {
          const rows = TEXTS.length;
          const clock = tf.tensor2d(Array.from({ length: rows }, (_, row) => [row, 0, 0]));
          const { time, topic, ctx } = encodeAll(adapters, config, {
            hidden: pooled,
            centroids,
            timeScalars: clock,
            surprise: tf.zeros([rows]),
            sessionSummary: pooled,
          });
          const fibers = { time: time.fiber, topic: topic.fiber, ctx: ctx.fiber };
          const losses = halves.map((ids, i) => {
            const softPrefix = crossBundlePrefix(adapters.cross_attn, config, asked[i]!, fibers);
            const state = text.model.initState(weights, 1);
            const tokens = tf.tensor2d([ids], [1, ids.length], 'int32');
            const { logits } = text.model.run(weights, { tokens, softPrefix }, state);
            const split = Math.floor(ids.length / 2);
            const count = ids.length - split;
            const first = config.lMem + split - 1;
            const rowsOf = tf.reshape(logits!, [config.lMem + ids.length, text.model.vocabSize]);
            return crossEntropy(
              tf.slice(rowsOf, [first, 0], [count, text.model.vocabSize]),
              tf.tensor1d(ids.slice(split), 'int32'),
            );
          });
          return tf.div(tf.addN(losses), losses.length);
        }, own);
      const one = await runOnce(engine, together, text.weights, memory.adapters, batch);
      const each = await runOnce(
        engine,
        alone,
        text.weights,
        memory.adapters,
        queries,
        states,
        batch.inputs.centroids,
      );
      expect(one.value.data[0]! / each.value.data[0]!).toBeCloseTo(1, 5);
      const [got, wanted] = [one, each].map(({ gradients }) =>
        treeToRecord<NDArray | undefined>(gradients),
      ) as [Record<string, NDArray | undefined>, Record<string, NDArray | undefined>];
      const compared = Object.entries(wanted).filter(([, gradient]) => gradient);
      expect(compared.length).toBeGreaterThan(60);
      const norm = Math.max(
        ...compared.map(([, gradient]) =>
          Float32Array.from(gradient!.data).reduce((most, x) => Math.max(most, Math.abs(x)), 0),
        ),
      );
      for (const [path, gradient] of compared) {
        expect(maxDifference(got[path]!.data, gradient!.data) / norm, path).toBeLessThan(1e-5);
      }
      await memory.dispose();
      await engine.dispose();
    });
  },
);

describe('steps from the same seed', () => {
  it('end in the same numbers, bit for bit', async () => {
    const engine = await createEngine('onnx', { threads: 1 });
    const runs: Record<string, NDArray>[] = [];
    for (let run = 0; run < 2; run++) {
      const memory = new MemLLM4(wordModel(), { engine, seed: 4 });
      const trainer = new Trainer4(memory);
      for (let step = 0; step < 3; step++) await trainer.step(TEXTS);
      await trainer.dispose();
      runs.push(treeToRecord<NDArray>(memory.adapters));
      await memory.dispose();
    }
    for (const [path, { data }] of Object.entries(runs[0]!)) expect(runs[1]![path]!.data, path).toEqual(data);
    await engine.dispose();
  });
});
