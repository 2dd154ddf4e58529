import { describe, expect, it } from 'vitest';
import {
  type CellResult,
  drawTrials,
  judgeTrials,
  planFinals,
  planSearch,
  searchedTasks,
  searchLog,
  standardRegistry,
  type Trial,
} from '../src/index.js';

const contender = (name: string) => standardRegistry.contenders.find((one) => one.name === name)!;
const plan = {
  tasks: searchedTasks,
  trials: 6,
  seeds: [1001],
  finalists: 1,
  finalSeeds: [1002],
  engine: 'onnx',
};

describe('the trials of a search', () => {
  it('are the defaults, then others without repetition, the same for the same seed', () => {
    const trials = drawTrials(contender('osam'), 12, 1001);
    expect(trials).toHaveLength(12);
    expect(trials[0]).toEqual({ model: 'osam', learningRate: 3e-3, modelOptions: {}, isDefault: true });
    expect(trials.filter(({ isDefault }) => isDefault)).toHaveLength(1);
    expect(new Set(trials.map((trial) => JSON.stringify(trial))).size).toBe(12);
    expect(drawTrials(contender('osam'), 12, 1001)).toEqual(trials);
    expect(drawTrials(contender('osam'), 12, 1002)).not.toEqual(trials);
  });

  it('are every combination when there are no more', () => {
    // Four rates and two values of one option; the GRU's own rate is one of the four, that without memory none of them.
    expect(drawTrials(contender('gru'), 100, 1)).toHaveLength(8);
    expect(drawTrials(contender('no-memory'), 100, 1)).toHaveLength(9);
  });

  it('are as many for every model, each fits its options, and none names more than three', () => {
    for (const one of standardRegistry.contenders) {
      if (one.kind !== 'trained') continue;
      expect(Object.keys(one.search ?? {}).length).toBeLessThanOrEqual(3);
      for (const { modelOptions } of drawTrials(one, 1000, 1)) one.options.parse(modelOptions);
    }
    const { trials, cells } = planSearch(standardRegistry, { ...plan, models: ['osam', 'rsm', 'gru'] });
    expect(['osam', 'rsm', 'gru'].map((name) => trials.filter(({ model }) => model === name).length)).toEqual(
      [6, 6, 6],
    );
    expect(cells).toHaveLength(18 * searchedTasks.length);
    expect(cells.find(({ task }) => task === 'language')?.taskOptions).toMatchObject({ storySeed: 1001 });
  });

  it.each([
    [{ seeds: [1] }, 'The seed 1 is one that tables use; a search takes seeds from 1001 on.'],
    [{ finalSeeds: [2] }, 'The seed 2 is one that tables use; a search takes seeds from 1001 on.'],
    [{ finalSeeds: [1001] }, 'The seed 1001 stands among the seeds and among the final seeds.'],
    [{ trials: 0 }, 'A search needs at least one trial, not 0.'],
    [{ tasks: ['sketch-error'] }, "The task 'sketch-error' takes no model."],
    [{ models: ['ngram'] }, "'ngram' is counted, not trained, so that there is nothing to search."],
    [{ models: ['osan'] }, "There is no model 'osan'"],
  ])('are refused in one sentence: %o', (wrong, sentence) => {
    expect(() => planSearch(standardRegistry, { ...plan, ...wrong })).toThrow(sentence);
  });
});

const trial = (model: string, learningRate: number, isDefault = false): Trial => ({
  model,
  learningRate,
  modelOptions: {},
  isDefault,
});
const result = (task: string, { model, learningRate }: Trial, values: readonly number[], seed = 1001) => {
  const name = task === 'language' ? 'bits per character' : 'accuracy by slice';
  return {
    spec: { task, taskOptions: {}, model, modelOptions: {}, learningRate, seed, engine: 'onnx' },
    outcome: { metrics: values.map((value, distance) => ({ name, value, unit: '', slice: { distance } })) },
  } as unknown as CellResult;
};

describe('the judgement of trials', () => {
  const [slow, fast, other] = [trial('gru', 1e-3, true), trial('gru', 4e-3), trial('osam', 3e-3, true)];

  it('takes the place between worst and best of all models, over tasks and seeds', () => {
    const judged = judgeTrials(
      [slow, fast, other],
      [
        result('language', slow, [2]),
        result('language', fast, [1.5]),
        // Two seeds, whose mean counts.
        result('language', other, [0.5]),
        result('language', other, [1.5], 1002),
        result('retrieval-distance', slow, [100, 0]),
        result('retrieval-distance', fast, [100, 100]),
        result('retrieval-distance', other, [0, 0]),
      ],
      standardRegistry,
    );
    expect(judged.map(({ model, learningRate }) => [model, learningRate])).toEqual([
      ['gru', 4e-3],
      ['gru', 1e-3],
      ['osam', 3e-3],
    ]);
    expect(judged.map(({ score }) => score)).toEqual([0.75, 0.25, 0.5]);
    expect(judged[0]!.values).toEqual({ language: 1.5, 'retrieval-distance': 100 });
  });

  it('puts a trial that failed last in that task', () => {
    const [first] = judgeTrials(
      [slow, fast],
      [result('language', slow, [9]), result('mqar', slow, [50]), result('mqar', fast, [60])],
      standardRegistry,
    );
    expect(first).toMatchObject({ learningRate: 1e-3, score: 0.5 });
    expect(judgeTrials([slow, fast], [result('language', slow, [9])], standardRegistry)[1]!.score).toBe(0);
  });

  it('gives no points to trials of which nothing was computed, as in an empty shard', () => {
    expect(judgeTrials([slow], [], standardRegistry)).toMatchObject([{ values: {}, score: 0 }]);
  });

  it('counts a trial that failed with one of its seeds as failed in that task', () => {
    const failed = { ...result('language', slow, [], 1002), outcome: undefined } as CellResult;
    const [first, last] = judgeTrials(
      [slow, fast],
      [
        result('language', slow, [1]),
        failed,
        result('language', fast, [2]),
        result('language', fast, [2], 1002),
      ],
      standardRegistry,
    );
    expect([first!.learningRate, last!.values, last!.score]).toEqual([4e-3, {}, 0]);
  });

  it('is made again for the best of every model with more seeds, and those come first', () => {
    const trials = [slow, fast, other];
    const first = [
      result('language', slow, [2]),
      result('language', fast, [1.5]),
      result('language', other, [0.5]),
    ];
    const judged = judgeTrials(trials, first, standardRegistry);
    const { finalists, cells } = planFinals(judged, { ...plan, tasks: ['language'] });
    expect(finalists.map(({ model, learningRate }) => [model, learningRate])).toEqual([
      ['gru', 4e-3],
      ['osam', 3e-3],
    ]);
    expect(cells).toMatchObject([
      { task: 'language', model: 'gru', learningRate: 4e-3, seed: 1002 },
      { task: 'language', model: 'osam', learningRate: 3e-3, seed: 1002 },
    ]);
    expect(planFinals(judged, { ...plan, finalists: 0 }).cells).toEqual([]);

    const all = [...first, result('language', fast, [2.5], 1002), result('language', other, [0.7], 1002)];
    const isBest = ({ learningRate, model }: Trial) => model === 'osam' || learningRate === 4e-3;
    const again = judgeTrials(trials, all, standardRegistry, trials.filter(isBest));
    expect(again.map((one) => [one.learningRate, one.isFinalist])).toEqual([
      [4e-3, true],
      [1e-3, false],
      [3e-3, true],
    ]);
    expect(again[0]!.values).toEqual({ language: 2 });
  });

  it('is written down whole, in the same bytes for the same trials', () => {
    const judged = judgeTrials([slow], [result('language', slow, [2])], standardRegistry);
    const log = searchLog(plan, judged);
    expect(JSON.parse(log)).toMatchObject({
      format: 'palimpsest-search',
      seeds: [1001],
      finalSeeds: [1002],
      tasks: { language: { storySeed: 1001, steps: 350 } },
      trials: [{ model: 'gru', learningRate: 1e-3, values: { language: 2 } }],
    });
    expect(searchLog(plan, judged)).toBe(log);
  });
});
