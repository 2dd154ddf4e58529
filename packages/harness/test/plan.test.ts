import { describe, expect, it } from 'vitest';
import { planTime, profilesOf, resolveCells, standardRegistry } from '../src/index.js';
import { syntheticResult } from './support/synthetic-results.js';

const names = { engine: 'onnx', versions: { '@palimpsest/harness': '0.0.0' } };

describe('the plan of a profile', () => {
  it('takes what the folder measured before what ships, and divides what runs side by side', () => {
    const cells = resolveCells(
      standardRegistry,
      [1, 2, 3].flatMap((seed) => [
        { task: 'mqar', model: 'gru', seed, engine: 'auto' },
        { task: 'training-cost', model: 'gru', seed, engine: 'auto' },
      ]),
      names,
    );
    // Made-up cells took 2 s each.
    const results = ['mqar', 'training-cost'].map((task) =>
      syntheticResult({ task, model: 'gru', learningRate: cells[0]!.spec.learningRate!, seed: 1 }, {}),
    );
    const plan = planTime(cells, results, 2);
    expect(plan).toEqual([
      { task: 'mqar', cells: 3, finished: 1, seconds: 2 },
      { task: 'training-cost', cells: 3, finished: 1, seconds: 4 },
    ]);
  });

  it("of standard, with a text of one's own, is at most three hours with two side by side", async () => {
    const { cells, textCells = [] } = (await profilesOf(standardRegistry)).find(
      ({ name }) => name === 'standard',
    )!;
    const all = resolveCells(standardRegistry, [...cells, ...textCells], names);
    const seconds = planTime(all, [], 2).map((part) => part.seconds!);
    expect(seconds.every((one) => one > 0)).toBe(true);
    expect(seconds.reduce((sum, one) => sum + one, 0)).toBeLessThanOrEqual(3 * 3600);
  });

  it('of standard asks everyone the frontier, the distances and the six of MAD, under three seeds', async () => {
    const { cells } = (await profilesOf(standardRegistry)).find(({ name }) => name === 'standard')!;
    const asked = (task: string, model: string) =>
      cells.filter((cell) => cell.task === task && cell.model === model);
    const policies = standardRegistry.contenders.filter((one) => one.kind === 'trained' && one.learner);
    expect(policies.length).toBeGreaterThan(5);
    for (const { name } of policies) {
      for (const task of ['mqar', 'retrieval-distance', 'passkey']) {
        expect(
          asked(task, name).map(({ seed }) => seed),
          `${task}/${name}`,
        ).toEqual([1, 2, 3]);
      }
    }
    const everyone = [
      'osam',
      'rsm',
      'om-arc',
      'transformer',
      'gru',
      'lstm',
      'mamba-2',
      'rwkv-7',
      'no-memory',
    ];
    const mad = ['mad-recall', 'mad-fuzzy-recall', 'mad-noisy-recall', 'mad-compression', 'mad-memorisation'];
    for (const name of everyone) {
      for (const task of [
        ...mad,
        'selective-copying',
        'retrieval-distance',
        'passkey',
        'language',
        'training-cost',
      ]) {
        expect(new Set(asked(task, name).map(({ seed }) => seed)), `${task}/${name}`).toEqual(
          new Set([1, 2, 3]),
        );
      }
      expect(asked('decoding-cost', name)).toHaveLength(1);
    }
    expect(new Set(asked('mqar', 'osam').map(({ modelOptions }) => modelOptions?.width)).size).toBe(3);
    const task = standardRegistry.tasks.find(({ name }) => name === 'retrieval-distance')!;
    const options = task.options.parse(asked('retrieval-distance', 'osam')[0]!.taskOptions);
    const distances = options.distances as number[];
    expect(Math.max(...distances)).toBe(64 * Number(options.trainDistance));
  });
});
