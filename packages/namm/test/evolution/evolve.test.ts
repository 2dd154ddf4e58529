import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { resolveNAMMConfig } from '../../src/config.js';
import type { EvolutionEvent } from '../../src/evolution/evolution-event.js';
import { loadEvolution } from '../../src/evolution/evolution-file.js';
import { type EvolveOptions, evolveNamm, loadLatest } from '../../src/evolution/evolve.js';
import { loadPolicy, savePolicy } from '../../src/evolution/policy-file.js';
import { MadeUpRunner, madeUpTask } from './support/made-up-runner.js';

// 4 + 5 features: a linear scorer of 9 numbers.
const config = resolveNAMMConfig({
  scorer: 'linear',
  nFft: 8,
  hopLength: 4,
  recencyEmbedDim: 4,
  updateInterval: 16,
  maxTokensPerForward: 8,
});
const settings = {
  popSize: 6,
  initSigma: 0.2,
  samplesPerTask: 3,
  validationSamples: 2,
  maxIters: 8,
  evalInterval: 3,
  seed: 5,
};
const stages = [{ tasks: [madeUpTask('one', 1), madeUpTask('two', 2)] }];

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'namm-evolve-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function run(options: Partial<EvolveOptions> = {}): Promise<EvolutionEvent[]> {
  const events: EvolutionEvent[] = [];
  for await (const event of evolveNamm({ config, runner: new MadeUpRunner(), stages, settings, ...options }))
    events.push(event);
  return events;
}

/** What a run found, without what differs from run to run. */
const numbers = (events: readonly EvolutionEvent[]) =>
  events
    .filter(({ type }) => type === 'generation' || type === 'evaluation' || type === 'stage')
    .map((event) => ({ ...event, seconds: 0 }));
const ofType = <T extends EvolutionEvent['type']>(events: readonly EvolutionEvent[], type: T) =>
  events.filter((event): event is Extract<EvolutionEvent, { type: T }> => event.type === type);

describe('an evolution', () => {
  it('gets better, and tells generation, best, mean, sizes and seconds', async () => {
    const events = await run({ settings: { ...settings, maxIters: 60 } });
    const generations = ofType(events, 'generation');
    expect(generations.map(({ generation }) => generation)).toEqual(
      Array.from({ length: 60 }, (_, i) => i + 1),
    );
    expect(generations[59]!.mean).toBeGreaterThan(2 * generations[0]!.mean);
    for (const { best, mean, worst, sizes, seconds, scores } of generations) {
      expect(best).toBeGreaterThanOrEqual(mean);
      expect(mean).toBeGreaterThanOrEqual(worst);
      expect(sizes.layers).toHaveLength(2 - 1);
      expect(sizes.mean).toBeGreaterThan(0);
      expect(seconds).toBeGreaterThan(0);
      expect(Object.keys(scores)).toEqual(['one', 'two']);
    }
    expect(events.at(-1)).toMatchObject({ type: 'end', generation: 60 });
  });

  it('gives the same numbers for the same seed, others for another', async () => {
    const first = numbers(await run());
    expect(numbers(await run())).toEqual(first);
    expect(numbers(await run({ settings: { ...settings, seed: 6 } }))).not.toEqual(first);
  });

  it('judges all members of a generation on the same samples, which nothing is validated on', async () => {
    const runner = new MadeUpRunner();
    await run({ runner });
    const places = (split: number) =>
      runner.requests
        .flatMap(({ trials }) => trials.map(({ prompt }) => prompt[1]!))
        .filter((index) => Math.floor(index / 1000) === split);
    expect(new Set(places(0)).size).toBeGreaterThan(5);
    expect([...new Set(places(1))].sort()).toEqual([1000, 1001]);
    const populations = runner.requests.filter(({ vectors }) => vectors !== 'full' && vectors.length === 6);
    expect(populations).toHaveLength(8);
    for (const { trials } of populations) {
      expect(trials).toHaveLength(6);
      const one = trials.filter(({ prompt }) => prompt[0] === 1).map(({ prompt }) => prompt[1]);
      expect(new Set(one).size).toBe(3);
    }
  });

  it('goes on from any checkpoint as if it had never stopped, to the bit', async () => {
    const whole = await run({ folder, settings: { ...settings, keepEvery: 1 } });
    const wholeEnd = await loadLatest(folder);
    for (const generation of [1, 3, 5]) {
      const other = mkdtempSync(join(tmpdir(), 'namm-evolve-'));
      const resume = await loadEvolution(join(folder, `generation-${generation}.safetensors`));
      const rest = await run({ resume, folder: other, settings: undefined });
      const expected = numbers(whole).filter(
        (event) =>
          event.type !== 'stage' &&
          (event.type === 'generation' ? event.generation > generation : event.generation >= generation),
      );
      expect(numbers(rest).filter(({ type }) => type !== 'stage')).toEqual(expected);
      const end = await loadLatest(other);
      expect({ ...end, policy: { ...end.policy, config: 0 } }).toEqual({
        ...wholeEnd,
        policy: { ...wholeEnd.policy, config: 0 },
      });
      rmSync(other, { recursive: true });
    }
  });

  it('stops at the signal in the middle of a generation, saved, and goes on from there', async () => {
    const whole = numbers(await run());
    const abort = new AbortController();
    const runner = new MadeUpRunner();
    runner.before = ({ vectors }) => {
      if (vectors !== 'full' && vectors.length === 6 && runner.requests.length > 8) abort.abort();
    };
    const first = await run({ folder, runner, signal: abort.signal });
    expect(first.at(-1)!.type).toBe('interrupted');
    const resume = await loadLatest(folder);
    const rest = await run({ folder, resume, settings: undefined });
    const both = [...numbers(first), ...numbers(rest).filter(({ type }) => type !== 'stage')];
    expect(both).toEqual(whole);
  });

  it('takes over search and statistics from stage to stage, each measured by its own tasks', async () => {
    const two = [
      { tasks: [madeUpTask('one', 1)], generations: 4 },
      { tasks: [madeUpTask('one', 1), madeUpTask('two', 2)], generations: 3 },
    ];
    const runner = new MadeUpRunner();
    const normalising = resolveNAMMConfig({ ...config, normalise: true } as never);
    const events = await run({ stages: two, runner, config: normalising, folder });
    expect(ofType(events, 'stage').map(({ generation, tasks }) => [generation, tasks])).toEqual([
      [0, ['one']],
      [4, ['one', 'two']],
    ]);
    expect(ofType(events, 'generation').map(({ stage }) => stage)).toEqual([0, 0, 0, 0, 1, 1, 1]);
    expect(
      ofType(events, 'evaluation')
        .map(({ generation, isBest }) => [generation, isBest])
        .filter(([g]) => g === 4),
    ).toHaveLength(2);
    // Estimated in the first evaluation, frozen from then on.
    expect(runner.requests.filter(({ collect }) => collect)).toHaveLength(1);
    expect((await loadLatest(folder)).policy.statistics![0]!.count).toBe(2);
    const own = new MadeUpRunner();
    await run({
      stages: two,
      runner: own,
      config: normalising,
      settings: { ...settings, statistics: 'perStage' },
    });
    expect(own.requests.filter(({ collect }) => collect)).toHaveLength(2);
  });

  it('collects statistics as long as they are not frozen', async () => {
    const runner = new MadeUpRunner();
    const late = resolveNAMMConfig({
      ...config,
      normalise: { freezeAfter: 4, updateDuringTraining: true },
    } as never);
    await run({ runner, config: late });
    const collecting = runner.requests.filter(({ collect }) => collect);
    expect(collecting.filter(({ vectors }) => vectors.length === 6)).toHaveLength(4);
    expect(collecting.filter(({ vectors }) => vectors.length === 1)).toHaveLength(2);
  });

  it('begins with statistics that it is given, and keeps them when nothing is to be collected', async () => {
    const runner = new MadeUpRunner();
    const given = resolveNAMMConfig({ ...config, normalise: { freezeAfter: 0 } } as never);
    const width = 5;
    const statistics = [
      { mean: new Float32Array(width).fill(2), variance: new Float32Array(width).fill(3), count: 7 },
    ];
    await run({ runner, config: given, statistics, folder });
    expect(runner.requests.some(({ collect }) => collect)).toBe(false);
    const evolving = runner.requests.filter(({ vectors }) => vectors !== 'full');
    for (const request of evolving) expect(request.statistics).toEqual(statistics);
    expect((await loadLatest(folder)).policy.statistics).toEqual(statistics);
  });

  it('ends early when evaluations stop improving', async () => {
    const worse = madeUpTask('one', 1);
    const task = {
      ...worse,
      sample: (split: 'train' | 'validation' | 'test', index: number) =>
        split === 'validation'
          ? { ...worse.sample(split, index), score: () => 0.5 }
          : worse.sample(split, index),
    };
    const events = await run({
      stages: [{ tasks: [task] }],
      settings: { ...settings, maxIters: 50, patience: 2, evalInterval: 2 },
    });
    expect(events.at(-1)).toMatchObject({ type: 'early', generation: 6 });
  });

  it('only evaluates when asked, and changes nothing', async () => {
    await run({ folder });
    const before = readFileSync(join(folder, 'latest.safetensors'));
    const resume = await loadLatest(folder);
    const events = await run({ folder, resume, settings: undefined, evalOnly: true });
    expect(ofType(events, 'generation')).toEqual([]);
    expect(ofType(events, 'evaluation')).toHaveLength(1);
    expect(readFileSync(join(folder, 'latest.safetensors'))).toEqual(before);
    expect(readdirSync(folder)).toContain('eval-8.json');
  });

  it('takes penalties off and adapts their weight to a target', async () => {
    const plain = ofType(await run(), 'generation')[0]!;
    const sparse = ofType(await run({ settings: { ...settings, sparsityCoeff: 0.1 } }), 'generation')[0]!;
    expect(sparse.mean).toBeCloseTo(plain.mean - 0.1 * plain.sparsity, 10);
    const adapting = { ...settings, sparsityCoeff: 0.1, sparsityTarget: 1, adaptationRate: 0.1 };
    const [first, second] = ofType(await run({ settings: adapting }), 'generation');
    expect(second!.sparsityCoeff).toBeCloseTo(0.1 * Math.exp(0.1 * (first!.sparsity - 1)), 12);
  });

  it('keeps a candidate that beats the mean', async () => {
    const events = await run({
      folder,
      settings: { ...settings, evalCandidateSamples: 12, evalCandidateTemp: 1 },
    });
    const evaluations = ofType(events, 'evaluation');
    const better = evaluations.find(
      ({ candidates, fitness, isBest }) => isBest && candidates!.best > fitness,
    );
    expect(better).toBeDefined();
    const end = events.at(-1)!;
    expect((end as { bestFitness: number }).bestFitness).toBe(
      Math.max(...evaluations.flatMap(({ fitness, candidates }) => [fitness, candidates!.best])),
    );
  });

  it('writes a policy that stands alone in less than 20 kB, and reads it back', async () => {
    const published = resolveNAMMConfig();
    const parameters = Float32Array.from({ length: 4172 }, (_, i) => Math.sin(i));
    const row = { mean: new Float32Array(17).fill(0.5), variance: new Float32Array(17).fill(2), count: 1e6 };
    const path = join(folder, 'policy.safetensors');
    await savePolicy(path, { config: published, parameters, statistics: [row] });
    expect(readFileSync(path).length).toBeLessThan(20_000);
    expect(await loadPolicy(path)).toEqual({ config: published, parameters, statistics: [row] });
  });

  it('refuses what cannot be, in one sentence', async () => {
    await expect(run({ settings: { ...settings, popSize: 1 } })).rejects.toThrow(
      "The setting 'popSize' of the evolution does not fit",
    );
    await expect(run({ stages: [] })).rejects.toThrow('at least one stage');
    await expect(run({ stages: [{ tasks: [] }] })).rejects.toThrow('Stage 1 of the evolution has no tasks');
    await expect(run({ stages: [{ tasks: [madeUpTask('a', 1), madeUpTask('a', 2)] }] })).rejects.toThrow(
      "the task 'a' twice",
    );
    await expect(loadLatest(folder)).rejects.toThrow('holds no evolution');
    await run({ folder });
    const resume = await loadLatest(folder);
    await expect(
      run({ resume, settings: undefined, config: resolveNAMMConfig({ ...config, nFft: 16 } as never) }),
    ).rejects.toThrow('has 9 parameters, but this policy has 13');
    await expect(run({ resume, settings: { maxIters: 3 } })).rejects.toThrow('more than the 3');
    const bytes = readFileSync(join(folder, 'latest.safetensors'));
    writeFileSync(join(folder, 'latest.safetensors'), bytes.subarray(0, bytes.length - 9));
    await expect(loadLatest(folder)).rejects.toThrow('latest.safetensors');
    await expect(loadEvolution(join(folder, 'best.safetensors'))).rejects.toThrow(
      'is no evolution of this program',
    );
  });
});
