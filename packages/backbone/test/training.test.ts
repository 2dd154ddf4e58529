import {
  type BatchSource,
  CharacterTokenizer,
  ContiguousLanes,
  corpusText,
  encodeCorpus,
  generateStories,
  RandomWindows,
  train,
} from '@palimpsest/lm';
import { type NDArray, Rng, type tf, treeLeaves } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { createTransformer, presets, type TransformerOptions } from '../src/index.js';
import { withEngine } from './helpers.js';

const corpus = generateStories({ characters: 30_000 });
const tokenizer = CharacterTokenizer.fromText(corpusText(corpus));
const ids = encodeCorpus(tokenizer, corpus).ids;
const { vocabSize } = tokenizer;

async function losses(options: TransformerOptions, source: BatchSource, steps: number) {
  return withEngine('onnx', async (engine) => {
    const model = createTransformer(options);
    const settings = { steps, learningRate: 3e-3, warmupSteps: 5, seed: 1 };
    const seen: number[] = [];
    let live = 0;
    for await (const event of train({ engine, model, source, settings })) {
      if (event.type !== 'step') continue;
      seen.push(event.loss);
      if (seen.length === 3) live = engine.memory().arrays;
      if (seen.length > 3) expect(engine.memory().arrays).toBe(live);
    }
    return seen;
  });
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('training through the loop of lm', () => {
  const small = { ...presets.small({ vocabSize, modelWidth: 64, layers: 2, context: 32 }) };

  it('learns text from random windows, dropout included', async () => {
    const seen = await losses(
      { ...small, dropout: 0.05 },
      new RandomWindows(ids, { batch: 8, time: 32, seed: 1 }),
      150,
    );
    expect(seen[0]).toBeGreaterThan(Math.log(vocabSize) - 0.3);
    // Pairs of characters alone leave about 2 nats of such stories unexplained.
    expect(mean(seen.slice(-5))).toBeLessThan(1.9);
  });

  it('learns through a carried window cache with sinks', async () => {
    const seen = await losses(
      { ...small, capacity: 24, window: 24, sinks: 2 },
      new ContiguousLanes(ids, { batch: 8, time: 16 }),
      60,
    );
    expect(mean(seen.slice(-5))).toBeLessThan(2.4);
  });

  it('drops the same activations for the same key, others for another, and none outside training', async () => {
    await withEngine('onnx', async (engine) => {
      const model = createTransformer({ vocabSize: 9, modelWidth: 16, layers: 1, dropout: 0.5 });
      const params = model.init(Rng.fromSeed(1));
      const run = (training: boolean) =>
        engine.compile(
          (weights: Parameters<typeof model.forward>[0], tokens: tf.Tensor2D, dropoutKey: tf.Tensor) =>
            model.forward(weights, tokens, model.initState(weights, 1), { training, dropoutKey }).logits,
        );
      const tokens = { data: Int32Array.of(1, 2, 3), shape: [1, 3], dtype: 'int32' } as NDArray;
      const [first, second] = [Rng.fromSeed(1).key(), Rng.fromSeed(2).key()];
      const logits = async (training: boolean, key: NDArray) => [
        ...(await (await run(training)(params as never, tokens, key)).data()),
      ];
      expect(await logits(true, first)).toEqual(await logits(true, first));
      expect(await logits(true, first)).not.toEqual(await logits(true, second));
      expect(await logits(false, first)).toEqual(await logits(false, second));
    });
  });

  it('decays neither gains nor biases nor embeddings', () => {
    const model = createTransformer({ vocabSize: 9, positions: 'learned', mlpBias: true });
    const [group] = model.parameterGroups();
    const undecayed = treeLeaves<NDArray>(model.init(Rng.fromSeed(0)))
      .filter(({ path }) => group!.match.test(path))
      .map(({ path }) => path);
    expect(group!.decays).toBe(false);
    expect(undecayed).toContain('tokenEmbedding');
    expect(undecayed).toContain('positionEmbedding');
    expect(undecayed).toContain('blocks.3.mlpNorm.gain');
    expect(undecayed.some((path) => path.endsWith('.weight'))).toBe(false);
  });
});
