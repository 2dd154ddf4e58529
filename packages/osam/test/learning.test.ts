import {
  AnswerMeter,
  type BatchSource,
  blankExample,
  CharacterTokenizer,
  corpusText,
  type Draw,
  defaultCorpus,
  GeneratedExamples,
  RandomWindows,
  train,
} from '@palimpsest/lm';
import { createEngine } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { createOsamModel, type OsamModel } from '../src/index.js';

const size = { dModel: 64, sketchDim: 256 };
const SYMBOLS = 16;

/** Pairs of different keys and any values, then the keys in another order, each asking for its value. */
function associativeRecall(pairs: number): Draw {
  return (rng) => {
    const { inputs, targets } = blankExample(4 * pairs, 0);
    const keys = rng.permutation(SYMBOLS).subarray(0, pairs);
    const values = Array.from({ length: pairs }, () => SYMBOLS + rng.int(SYMBOLS));
    rng.permutation(pairs).forEach((asked, at) => {
      inputs.set([keys[at]!, values[at]!], 2 * at);
      const place = 2 * (pairs + at);
      inputs.set([keys[asked]!, values[asked]!], place);
      targets[place] = values[asked]!;
    });
    return { inputs, targets };
  };
}

describe('learning', { timeout: 900_000 }, async () => {
  const engine = await createEngine('onnx');
  const learn = async (model: OsamModel, source: BatchSource, steps: number) => {
    const settings = {
      steps,
      schedule: 'constant',
      learningRate: 3e-3,
      seed: 1337,
      telemetry: false,
    } as const;
    const losses: number[] = [];
    for await (const event of train({ engine, model, source, settings })) {
      if (event.type === 'step') losses.push(event.loss);
      if (event.type === 'end') return { losses, params: event.params };
    }
    throw new Error('The training did not end.');
  };

  it('the default corpus falls below 0.05 nats in 250 steps, and not without memory', async () => {
    const text = corpusText(defaultCorpus()).slice(0, 50_000);
    const tokenizer = CharacterTokenizer.fromText(text);
    const ids = tokenizer.encode(text);
    const finalLoss = async (options: object) => {
      const model = createOsamModel({ vocabSize: tokenizer.vocabSize, ...size, ...options });
      const { losses } = await learn(model, new RandomWindows(ids, { batch: 16, time: 64, seed: 1337 }), 250);
      return losses.slice(-10).reduce((sum, loss) => sum + loss / 10, 0);
    };
    expect(await finalLoss({ mode: 'parity' })).toBeLessThan(0.05);
    expect(await finalLoss({ featurePath: false, enableValuePath: false })).toBeGreaterThan(0.4);
  });

  it('four associations are recalled after 500 steps of the improved mode', async () => {
    const draw = associativeRecall(4);
    const model = createOsamModel({ vocabSize: 2 * SYMBOLS, ...size });
    const source = new GeneratedExamples([draw], { name: 'recall', batch: 32, time: 16, seed: 7 });
    const { params } = await learn(model, source, 500);
    const meter = new AnswerMeter(engine, model, params, 64);
    const { value, examples } = await meter.measure(draw, { examples: 256, seed: 8 });
    await meter.dispose();
    expect(examples).toBe(256);
    expect(value).toBeGreaterThan(0.95);
  });
});
