import { createTransformer } from '@palimpsest/backbone';
import { createEngine, type Engine, Rng } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveNAMMConfig } from '../../src/config.js';
import { convertParameters, withLayout } from '../../src/evolution/convert-parameters.js';
import { planChunks } from '../../src/evolution/population/chunk.js';
import { InProcessRunner } from '../../src/evolution/population/in-process-runner.js';
import { populationModel } from '../../src/evolution/population/population-model.js';
import { ProcessRunner } from '../../src/evolution/population/process-runner.js';
import type { PopulationReply, Trial } from '../../src/evolution/trial.js';
import { evolveVerb } from '../../src/evolution/verb.js';
import { manageTransformer } from '../../src/managed/managed-transformer.js';
import { nammPolicy } from '../../src/policy/namm-policy.js';
import { parameterCount } from '../../src/scorer/layout.js';

const config = resolveNAMMConfig({
  nFft: 8,
  hopLength: 4,
  emaCoeff: 0.9,
  recencyEmbedDim: 4,
  bam: { hiddenDim: 10 },
  updateInterval: 16,
  maxTokensPerForward: 8,
});
const transformer = createTransformer({
  vocabSize: 31,
  context: 64,
  layers: 2,
  heads: 4,
  keyValueHeads: 2,
  modelWidth: 32,
});
const params = transformer.init(Rng.fromSeed(3));
for (const block of params.blocks) {
  const { data } = block.queryKeyValue.weight;
  for (let i = 0; i < data.length; i++) data[i]! *= 12;
}
const rng = Rng.fromSeed(9);
const ids = (count: number) => Int32Array.from({ length: count }, () => rng.int(31));
const vectors = Array.from({ length: 5 }, () =>
  Float32Array.from(rng.normalArray([parameterCount(config)], 0, 0.4).data),
);
const statistics = [
  { mean: new Float32Array(5).fill(0.02), variance: new Float32Array(5).fill(0.01), count: 9 },
];
const trials: Trial[] = [
  { prompt: ids(45), target: ids(7) },
  { prompt: ids(45), target: ids(7) },
  { prompt: ids(20), maxNewTokens: 14, endIds: [3, 5] },
  { prompt: ids(5), target: ids(2) },
  // No update comes behind token 32, in the middle of a prompt.
  { prompt: ids(41), maxNewTokens: 6 },
];

let engine: Engine;
/** Fifteen texts at a time. */
let runner: InProcessRunner;
beforeAll(async () => {
  engine = await createEngine('onnx');
  runner = new InProcessRunner(engine, populationModel(transformer, params, config, 15));
});
afterAll(async () => {
  await runner.dispose();
  expect(engine.memory().arrays).toBe(0);
  await engine.dispose();
});

async function inProcess(
  rows: number,
  request: Parameters<InProcessRunner['run']>[0],
  of = config,
): Promise<PopulationReply> {
  const runner = new InProcessRunner(engine, populationModel(transformer, params, of, rows));
  const reply = await runner.run(request);
  await runner.dispose();
  return reply;
}

const sizes = ({ outcomes }: PopulationReply) =>
  outcomes.map((row) => row.map(({ kept, lengths, answer }) => ({ kept, lengths, answer })));
const logProbs = ({ outcomes }: PopulationReply) =>
  outcomes.flatMap((row) => row.map(({ logProb = 0 }) => logProb));

describe('a population', () => {
  const request = { vectors, trials, statistics };

  it('is judged as its members are one by one', { timeout: 300_000 }, async () => {
    const [together, alone] = [await runner.run(request), await inProcess(1, request)];
    expect(sizes(together)).toEqual(sizes(alone));
    logProbs(together).forEach((value, i) => {
      expect(Math.abs(value - logProbs(alone)[i]!)).toBeLessThan(2e-5);
    });
    // Members differ, and forget: what is compared is not all the same.
    expect(new Set(logProbs(together)).size).toBeGreaterThan(10);
    expect(together.outcomes.flat().some(({ kept }) => kept.flat(2).some((count) => count < 10))).toBe(true);
  });

  it('gives the same numbers to the bit whatever the number of processes', { timeout: 300_000 }, async () => {
    const model = populationModel(transformer, params, config, 6);
    const one = new ProcessRunner(model, { workers: 1 });
    const three = new ProcessRunner(model, { workers: 3 });
    const [first, second] = [
      await one.run({ ...request, collect: true }),
      await three.run({ ...request, collect: true }),
    ];
    expect(second).toEqual(first);
    expect(await three.run(request)).toEqual(await one.run(request));
    const here = await inProcess(6, { ...request, collect: true });
    expect(here).toEqual(first);
    await Promise.all([one.dispose(), three.dispose()]);
  });

  it('keeps what the same policy keeps that reads a text for itself', { timeout: 300_000 }, async () => {
    const reply = await runner.run(request);
    const managed = manageTransformer(
      transformer,
      nammPolicy(config, { vectors: [vectors[2]!], statistics }),
      { updateInterval: 16, maxTokensPerForward: 8 },
    );
    const kept: number[][][] = [];
    const reader = managed.compile(engine, params);
    const texts = reader.read(1, {
      onUpdate: ({ layers }) => kept.push(layers.map(({ lengths }) => [...lengths.data])),
    });
    const { prompt, target } = trials[1]!;
    const all = Int32Array.of(...prompt, ...target!.subarray(0, 6));
    const logits = await texts.readAll({ data: all, shape: [1, all.length], dtype: 'int32' });
    await texts.dispose();
    await reader.dispose();
    let sum = 0;
    target!.forEach((id, step) => {
      const row = logits.data.subarray((44 + step) * 31, (45 + step) * 31);
      sum += row[id]! - Math.log(row.reduce((total, value) => total + Math.exp(value), 0));
    });
    expect(reply.outcomes[2]![1]!.kept).toEqual(kept);
    expect(reply.outcomes[2]![1]!.logProb).toBeCloseTo(sum / 7, 4);
  });

  it('of zeros is the full cache, and the full cache forgets nothing', { timeout: 300_000 }, async () => {
    const zeros = await inProcess(15, { ...request, vectors: [new Float32Array(parameterCount(config))] });
    const full = await runner.run({ ...request, vectors: 'full' });
    logProbs(zeros).forEach((value, i) => {
      expect(Math.abs(value - logProbs(full)[i]!)).toBeLessThan(2e-5);
    });
    expect(zeros.outcomes[0]!.map(({ answer }) => answer)).toEqual(
      full.outcomes[0]!.map(({ answer }) => answer),
    );
    expect(full.outcomes[0]!.map(({ lengths }) => lengths[0]![0])).toEqual(
      zeros.outcomes[0]!.map(({ lengths }) => lengths[0]![0]),
    );
    expect(full.outcomes[0]![0]!.lengths).toEqual([
      [51, 51],
      [51, 51],
    ]);
  });

  it('is the same in the folded layout', { timeout: 300_000 }, async () => {
    const folded = vectors.map((vector) => convertParameters(config, vector, 'folded'));
    const reply = await inProcess(15, { ...request, vectors: folded }, withLayout(config, 'folded'));
    expect(sizes(reply)).toEqual(sizes(await runner.run(request)));
  });

  it('tells the moments of what it saw', { timeout: 300_000 }, async () => {
    const few = { vectors: vectors.slice(0, 2), trials: trials.slice(0, 2), collect: true };
    const [own] = (await runner.run(few)).statistics!;
    const { outcomes } = await runner.run({ ...few, collect: false });
    // At each update: what was kept and an interval of new tokens, in every head of every layer of every text.
    const seen = outcomes.flat().flatMap(({ kept }) => {
      const lengths = kept.slice(0, -1).flat(2);
      return [...lengths.map((length) => length + 16), ...new Array<number>(4).fill(16)];
    });
    expect(own!.count).toBe(seen.reduce((sum, count) => sum + count, 0));

    // Zeros keep everything, so that what an update saw is still there behind it.
    const zeros = new Float32Array(parameterCount(config));
    const one = {
      vectors: [zeros],
      trials: [{ prompt: trials[0]!.prompt.slice(0, 33), target: ids(1) }],
      collect: true,
    };
    const perLayer = resolveNAMMConfig({ ...config, normalise: { perLayer: true } } as never);
    const statisticsOfLayers = (await inProcess(1, one, perLayer)).statistics!;
    const managed = manageTransformer(transformer, nammPolicy(config, { vectors: [zeros] }), {
      updateInterval: 16,
      maxTokensPerForward: 16,
    });
    const reader = managed.compile(engine, params);
    const texts = reader.read(1);
    const values = [0, 1].map(() => Array.from({ length: 5 }, (): number[] => []));
    for (const from of [0, 16]) {
      (
        await texts.read({
          data: one.trials[0]!.prompt.slice(from, from + 16),
          shape: [1, 16],
          dtype: 'int32',
        })
      ).dispose();
      (await texts.state()).layers.forEach(({ positions, policy }, layer) => {
        const { data, shape } = policy!.tokens.average!;
        const slots = shape[3]!;
        data.forEach((value, i) => {
          const [head, bin, slot] = [Math.floor(i / (5 * slots)), Math.floor(i / slots) % 5, i % slots];
          if (positions.data[head * slots + slot]! >= 0) values[layer]![bin]!.push(value);
        });
      });
    }
    await texts.dispose();
    await reader.dispose();
    values.forEach((bins, layer) => {
      const { mean, variance, count } = statisticsOfLayers[layer]!;
      expect(count).toBe(2 * (16 + 32));
      bins.forEach((bin, i) => {
        const average = bin.reduce((sum, value) => sum + value, 0) / bin.length;
        const spread = bin.reduce((sum, value) => sum + (value - average) ** 2, 0) / bin.length;
        expect(mean[i]).toBeCloseTo(average, 6);
        expect(variance[i]).toBeCloseTo(spread, 6);
        expect(spread).toBeGreaterThan(0);
      });
    });
  });

  it('has as many texts side by side by the command line as in code, where nobody says otherwise', () => {
    expect(evolveVerb.schema.parse({}).rows).toBe(populationModel(transformer, params, config).rows);
  });

  it('is cut into batches by the request alone, longest trials first', () => {
    const chunks = planChunks(request, 12);
    expect(chunks.map(({ members, trials: own }) => [members.length, own])).toEqual([
      [5, [0, 1]],
      [5, [4]],
      [5, [2]],
      [5, [3]],
    ]);
    const even = Array.from({ length: 4 }, () => trials[0]!);
    const generation = planChunks(
      { vectors: Array.from({ length: 16 }, () => new Float32Array(1)), trials: even },
      32,
    );
    expect(generation.map(({ members, trials: own }) => [members.length, own])).toEqual([
      [16, [0, 1]],
      [16, [2, 3]],
    ]);
    const lone = planChunks({ vectors: 'full', trials: trials.slice(0, 2) }, 4);
    expect(lone.map(({ trials: own }) => own)).toEqual([[0], [1]]);
    const narrow = planChunks(request, 2).filter(({ trials: own }) => own[0] === 2);
    expect(narrow.map(({ members }) => members)).toEqual([[0, 1], [2, 3], [4]]);
  });

  it('ends with one sentence when a process dies or cannot work, and at the signal', {
    timeout: 300_000,
  }, async () => {
    const broken = new ProcessRunner(
      {
        ...populationModel(transformer, params, config),
        transformer: { ...transformer.options, modelWidth: 8 },
      },
      { workers: 1 },
    );
    await expect(broken.run(request)).rejects.toThrow();
    await broken.dispose();
    const two = new ProcessRunner(populationModel(transformer, params, config, 6), { workers: 2 });
    const abort = new AbortController();
    const running = two.run(request, abort.signal);
    abort.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
    // Goes on with new processes.
    expect((await two.run({ vectors: 'full', trials: trials.slice(3) })).outcomes).toHaveLength(1);
    await two.dispose();
    expect(() => new ProcessRunner(populationModel(transformer, params, config), { workers: 0 })).toThrow(
      '1 or more',
    );
    expect(() => populationModel(transformer, params, config, 0)).toThrow('1 or more');
  });
});
