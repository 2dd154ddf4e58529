import { createTransformer } from '@palimpsest/backbone';
import { contestantOf, type Task, type TrainedContender, taskOutcomeSchema } from '@palimpsest/lm';
import { createOsamModel } from '@palimpsest/osam';
import { createEngine, type Engine } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { standardRegistry } from '../src/index.js';

const { tasks } = standardRegistry;

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('onnx');
});
afterAll(() => engine.dispose());

const full: TrainedContender = {
  name: 'full',
  title: 'Full attention',
  mechanism: 'transformer',
  description: 'A transformer whose cache holds the whole text.',
  kind: 'trained',
  options: z.object({}),
  learningRate: 1e-3,
  create: ({ vocabSize, trainLength }) =>
    createTransformer({ vocabSize, context: trainLength, layers: 1, heads: 2, modelWidth: 16 }),
};
const fixed: TrainedContender = {
  ...full,
  name: 'fixed',
  mechanism: 'osam',
  create: ({ vocabSize }) => createOsamModel({ vocabSize, dModel: 16, sketchDim: 32 }),
};

const taskOf = (name: string): Task => tasks.find((task) => task.name === name)!;

/** Runs a task as a cell would, and holds its outcome against the schema. */
async function run(
  name: string,
  options: Record<string, unknown>,
  contender?: TrainedContender,
  modelOptions: Record<string, unknown> = {},
) {
  const task = taskOf(name);
  const context = {
    engine,
    contestant: contender && contestantOf(contender, modelOptions),
    learningRate: contender?.learningRate ?? 0,
    seed: 3,
    progress: () => {},
  };
  const outcome = await task.run(context, task.options.parse(options));
  const parsed = taskOutcomeSchema.parse(JSON.parse(JSON.stringify(outcome)));
  const value = (metric: string, slice: Record<string, number | string> = {}) =>
    parsed.metrics.find(
      (found) =>
        found.name === metric && Object.entries(slice).every(([key, wanted]) => found.slice[key] === wanted),
    )?.value ?? Number.NaN;
  return { ...parsed, value };
}

describe('cost', () => {
  it('keys and values grow with the text, a memory of fixed size does not; both are what the arrays hold', async () => {
    const options = { contexts: [32, 64], vocabSize: 11, timedTokens: 4, prefillChunk: 16 };
    const growing = await run('decoding-cost', options, full);
    const constant = await run('decoding-cost', options, fixed);
    // Two heads of width 8, keys and values, float32; an int32 position per slot and one of the text.
    const cache = (context: number) => context * (2 * 16 * 4 + 4) + 4;
    expect(growing.value('memory', { context: 32 })).toBe(cache(32));
    expect(growing.value('memory', { context: 64 })).toBe(cache(64));
    expect(growing.stateBytes).toBe(cache(64));
    expect(constant.value('memory', { context: 32 })).toBe(constant.value('memory', { context: 64 }));
    for (const metric of ['time per token', 'time to first token', 'prefill']) {
      expect(growing.value(metric, { context: 64 })).toBeGreaterThan(0);
    }
    expect(growing.metrics[0]).toMatchObject({ name: 'time per token', slice: { context: 64 } });
    expect(growing.curves[0]!.points.map(([x]) => x)).toEqual([32, 64]);
  });

  it('a cache under a policy is counted as it is held', async () => {
    const options = { contexts: [64, 128], vocabSize: 11, timedTokens: 4, prefillChunk: 16 };
    const whole = await run('decoding-cost', options, full);
    const policy = standardRegistry.contenders.find(({ name }) => name === 'cache-sinks')!;
    const contender = policy.kind === 'trained' ? policy : undefined;
    const model = { width: 16, layers: 1, heads: 2, budget: 8, updateInterval: 8 };
    const held = await run('decoding-cost', options, contender, contender!.options.parse(model));
    const memory = (context: number) => held.value('memory', { context });
    expect(memory(128)).toBe(memory(64));
    expect(memory(64)).toBeGreaterThanOrEqual(8 * (2 * 16 * 4 + 2 * 4));
    expect(memory(64)).toBeLessThan(whole.value('memory', { context: 64 }) / 2);
  });

  it('training speed counts whole steps and names the size of the model', async () => {
    const outcome = await run('training-cost', { batch: 2, time: 8, steps: 4, vocabSize: 11 }, full);
    expect(outcome.value('training')).toBeGreaterThan(0);
    expect(outcome.metrics[0]!.samples).toBe(3);
    expect(outcome.parameters).toBeGreaterThan(1000);
    await expect(run('training-cost', {})).rejects.toThrow('needs a model to ask');
  });
});

describe('libraries', () => {
  it('parity: every golden case of a system that ships holds', async () => {
    const outcome = await run('parity', { system: 'kakeya', golden: '../kakeya/test/golden' });
    expect(outcome.passed).toBe(true);
    expect(outcome.value('cases reproduced')).toBe(100);
    const shares = outcome.metrics.filter(({ name }) => name === 'share of the tolerance used');
    expect(shares.length).toBe(outcome.metrics[0]!.samples);
    expect(Math.max(...shares.map(({ value }) => value))).toBeLessThanOrEqual(100);
    await expect(run('parity', { system: 'nobody', golden: '../kakeya/test/golden' })).rejects.toThrow(
      "no golden case of 'nobody'",
    );
  });

  it('sketches: the error stays below the bound and falls with the length', async () => {
    const outcome = await run('sketch-error', { sketchDims: [32, 512], trials: 60 });
    expect(outcome.passed).toBe(true);
    const [short, long] = [32, 512].map((length) => outcome.value('error', { 'sketch length': length }));
    expect(long!).toBeLessThan(short! / 2);
  });

  it('Kakeya: refit and transform coding beat the original record at its own size', async () => {
    const outcome = await run('kakeya-rate-distortion', {
      dimension: 32,
      trainRows: 200,
      testRows: 50,
      residuals: [2, 4],
    });
    expect(outcome.passed).toBe(true);
    expect(new Set(outcome.curves.map(({ name }) => name)).size).toBe(3);
  });

  it('indexes: graph and cones find nearly everything that the flat scan finds', async () => {
    const outcome = await run('index-recall', { sizes: [300], dimension: 8, queries: 20 });
    expect(outcome.passed).toBe(true);
    expect(outcome.value('recall of cone')).toBe(100);
    expect(outcome.value('recall of hnsw')).toBeGreaterThan(95);
  });
});
