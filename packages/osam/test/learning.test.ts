import { createEngine } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import {
  associativeRecall,
  CharacterVocabulary,
  createOsamModel,
  defaultCorpus,
  fit,
  scoreTask,
  TaskSource,
  WindowLoader,
} from '../src/index.js';

const size = { dModel: 64, sketchDim: 256 };

describe('learning', { timeout: 900_000 }, async () => {
  const engine = await createEngine('onnx');

  it('the default corpus falls below 0.05 nats in 250 steps, and not without memory', async () => {
    const text = defaultCorpus().slice(0, 50_000);
    const vocabulary = CharacterVocabulary.of(text);
    const ids = vocabulary.encode(text);
    const finalLoss = async (options: object) => {
      const model = createOsamModel({ vocabSize: vocabulary.size, ...size, ...options });
      const loader = new WindowLoader(ids, { batchSize: 16, seqLen: 64, seed: 1337 });
      const { losses } = await fit(engine, model, loader.source(), { steps: 250, learningRate: 3e-3 });
      return losses.slice(-10).reduce((sum, loss) => sum + loss / 10, 0);
    };
    expect(await finalLoss({ mode: 'parity' })).toBeLessThan(0.05);
    expect(await finalLoss({ featurePath: false, enableValuePath: false })).toBeGreaterThan(0.4);
  });

  it('four associations are recalled after 500 steps of the improved mode', async () => {
    const task = associativeRecall({ pairs: 4 });
    const model = createOsamModel({ vocabSize: task.vocabSize, ...size });
    const { params } = await fit(engine, model, new TaskSource(task, 32, 7), {
      steps: 500,
      learningRate: 3e-3,
    });
    const { accuracy, answers } = await scoreTask(engine, model, params, task, { batches: 4, batch: 64 });
    expect(answers).toBe(4 * 64 * 4);
    expect(accuracy).toBeGreaterThan(0.95);
  });
});
