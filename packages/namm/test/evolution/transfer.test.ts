import { createTransformer } from '@palimpsest/backbone';
import { createEngine, type Engine, Rng } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveNAMMConfig } from '../../src/config.js';
import { evolutionConfig } from '../../src/evolution/convert-parameters.js';
import { evaluateNamm } from '../../src/evolution/evaluate.js';
import { InProcessRunner } from '../../src/evolution/population/in-process-runner.js';
import { populationModel } from '../../src/evolution/population/population-model.js';
import { recalibrate, transferNamm } from '../../src/evolution/transfer.js';
import { parameterCount } from '../../src/scorer/layout.js';
import { MadeUpRunner, madeUpTask } from './support/made-up-runner.js';

const config = evolutionConfig({
  nFft: 8,
  hopLength: 4,
  recencyEmbedDim: 4,
  bam: { hiddenDim: 6 },
  updateInterval: 16,
  maxTokensPerForward: 16,
});
const rng = Rng.fromSeed(2);
const parameters = Float32Array.from(rng.normalArray([parameterCount(config)], 0, 0.5).data);
const statistics = [
  { mean: new Float32Array(5).fill(0.02), variance: new Float32Array(5).fill(0.01), count: 9 },
];
const policy = { config, parameters, statistics };
const ids = (count: number) => Int32Array.from({ length: count }, () => rng.int(29));

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('onnx');
});
afterAll(() => engine.dispose());

describe('a policy', () => {
  const other = createTransformer({
    vocabSize: 29,
    context: 64,
    layers: 3,
    heads: 6,
    keyValueHeads: 3,
    modelWidth: 24,
    headWidth: 8,
  });
  const params = other.init(rng);

  it('manages a model of other depth, heads and head width', { timeout: 300_000 }, async () => {
    const managed = transferNamm(policy, other);
    const kept: number[] = [];
    const reader = managed.compile(engine, params);
    const texts = reader.read(1, {
      onUpdate: ({ layers }) => kept.push(...layers.flatMap(({ lengths }) => [...lengths.data])),
    });
    const logits = await texts.readAll({ data: ids(40), shape: [1, 40], dtype: 'int32' });
    await texts.dispose();
    await reader.dispose();
    expect(logits.shape).toEqual([1, 40, 29]);
    expect(kept).toHaveLength(2 * 3 * 3);
    expect(Math.min(...kept)).toBeLessThan(Math.max(...kept));
  });

  it('gets statistics of another model, as many as it has layers', { timeout: 300_000 }, async () => {
    const perLayer = resolveNAMMConfig({ ...config, normalise: { perLayer: true } } as never);
    const own = { ...policy, config: perLayer, statistics: [statistics[0]!, statistics[0]!] };
    expect(() => transferNamm(own, other)).toThrow('Statistics of 2 layers do not fit a model of 3');
    const runner = new InProcessRunner(engine, populationModel(other, params, perLayer));
    const estimated = await recalibrate(own, runner, [ids(33), ids(33)]);
    expect(estimated.statistics).toHaveLength(3);
    expect(estimated.parameters).toBe(parameters);
    // Two texts of 3 heads, updates of 16 and of at least 16 more tokens.
    expect(estimated.statistics![0]!.count).toBeGreaterThanOrEqual(2 * 3 * (16 + 17));
    expect(() => transferNamm(estimated, other)).not.toThrow();
    await expect(recalibrate(own, runner, [ids(9)])).rejects.toThrow('every 16 tokens');
    await runner.dispose();
  });

  it('of single layers stays where it is', () => {
    const perLayer = resolveNAMMConfig({ paramSharing: 'perLayer' });
    expect(() => transferNamm({ config: perLayer, parameters: new Float32Array(2 * 4172) }, other)).toThrow(
      'only shared ones can be transferred',
    );
  });
});

it('an evaluation gives scores beside the full cache and sizes, on samples nothing was evolved on', async () => {
  const runner = new MadeUpRunner();
  const vector = Float32Array.of(0.5, 0.2);
  const evaluation = await evaluateNamm({
    runner,
    policy: { parameters: vector },
    tasks: [madeUpTask('one', 1)],
    samples: 3,
  });
  const places = runner.requests.flatMap(({ trials }) => trials.map(({ prompt }) => prompt[1]));
  expect(new Set(places)).toEqual(new Set([2000, 2001, 2002]));
  const { score, beside } = evaluation.tasks.one!;
  const reached = (values: Float32Array) =>
    100 * Math.exp(-values.reduce((sum, value, i) => sum + (value - Math.sin(1 + i)) ** 2, 0));
  expect(score).toBeCloseTo(reached(vector), 4);
  expect(beside).toBeCloseTo(reached(vector) / reached(new Float32Array(1)), 4);
  expect(evaluation.fitness).toBeCloseTo(beside, 10);
  expect(evaluation.sizes.mean).toBe(21);
  expect(evaluation.tokensPerSecond).toBeGreaterThan(0);
});
