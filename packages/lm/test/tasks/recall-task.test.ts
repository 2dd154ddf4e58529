import { createEngine, type Engine } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  blankExample,
  contestantOf,
  defineContender,
  recallTask,
  type Trainer,
  taskOutcomeSchema,
  train,
} from '../../src/index.js';
import { gatedRecurrence } from '../support/gated-recurrence.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('cpu');
});
afterAll(async () => {
  expect(engine.memory().arrays).toBe(0);
  await engine.dispose();
});

/** The first token must be told at the end. */
const first = recallTask({
  name: 'first',
  title: 'First',
  description: 'What came first?',
  shape: { symbols: z.int().min(2).default(3).describe('different tokens') },
  defaults: { steps: 120, batch: 16, examples: 40 },
  plan({ symbols }) {
    const asking = (length: number) => ({
      slice: { length },
      length,
      draw: (rng: { int(bound: number): number }) => {
        const { inputs, targets } = blankExample(length, 0);
        inputs[0] = 1 + rng.int(symbols);
        targets[length - 1] = inputs[0]!;
        return { inputs, targets };
      },
    });
    return {
      vocabSize: symbols + 1,
      training: [asking(3)],
      testing: [asking(3), { ...asking(600), beyondTraining: true }],
      chance: 1 / symbols,
    };
  },
});

const contender = (trainer?: Trainer) =>
  defineContender({
    name: 'recurrence',
    title: 'Recurrence',
    mechanism: 'recurrence',
    description: 'A toy.',
    kind: 'trained',
    options: z.object({ width: z.int().default(12) }),
    learningRate: 0.05,
    trainer,
    create: ({ vocabSize }, { width }) => gatedRecurrence({ vocabSize, width, dropout: 0 }),
  });

async function ask(given: Record<string, unknown>, trainer?: Trainer) {
  const who = contender(trainer);
  const context = {
    engine,
    contestant: contestantOf(who, who.options.parse({})),
    learningRate: 0.05,
    seed: 1,
    progress: () => {},
  };
  return taskOutcomeSchema.parse(await first.run(context, first.options.parse(given)));
}

describe('a task on generated sequences', () => {
  it('trains a fresh model and asks it slice by slice, texts beyond one call included', async () => {
    const { metrics, curves, parameters } = await ask({});
    expect(metrics.map(({ name, slice }) => [name, slice])).toEqual([
      ['accuracy', {}],
      ['accuracy by slice', { length: 3 }],
      ['accuracy by slice', { length: 600 }],
    ]);
    expect(metrics[0]!.value).toBe(metrics[1]!.value);
    expect(metrics[0]!.value).toBeGreaterThan(90);
    expect(curves[0]!.points).toHaveLength(120);
    expect(parameters).toBeGreaterThan(0);
    expect(first.chance!(first.options.parse({}))).toBeCloseTo(100 / 3, 10);
  });

  it('has defaults of its own, ends early once it is solved, and refuses unknown options', async () => {
    expect(first.options.parse({})).toMatchObject({ symbols: 3, steps: 120, batch: 16, stopAt: 0 });
    const { curves } = await ask({ stopAt: 100 });
    expect(curves[0]!.points.length).toBeLessThan(30);
    expect(first.options.safeParse({ unknown: 1 }).success).toBe(false);
  });

  it("learns by a contender's own trainer", async () => {
    const seen: number[] = [];
    await ask(
      { steps: 7, examples: 8 },
      {
        options: z.object({ generations: z.int().default(2) }),
        async *train(run, { generations }) {
          seen.push(Number(generations));
          yield* train({ ...run, settings: { ...run.settings, steps: Number(generations) } });
        },
      },
    );
    expect(seen).toEqual([2]);
  });

  it('asks nobody when there is no model, and nothing that is counted', async () => {
    const context = { engine, learningRate: 0, seed: 1, progress: () => {} };
    const options = first.options.parse({});
    await expect(first.run(context, options)).rejects.toThrow('needs a model to ask');
    const counted = contestantOf(
      defineContender({
        name: 'table',
        title: 'Table',
        mechanism: 'table',
        description: 'Counts.',
        kind: 'counted',
        options: z.object({}),
        count: () => ({ config: {}, loss: () => 0 }),
      }),
      {},
    );
    await expect(first.run({ ...context, contestant: counted }, options)).rejects.toThrow(
      "'table' is counted, not trained",
    );
  });
});
