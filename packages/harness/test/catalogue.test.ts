import { describe, expect, it } from 'vitest';
import { describeEntry, formatEntry } from '../src/catalogue.js';
import { registry, toyCells } from './cells/support/cells.js';

const profiles = [{ name: 'tiny', description: 'A toy.', cells: toyCells(2) }];
const describeIt = (name: string) => describeEntry(registry, profiles, name);

describe('describeEntry', () => {
  it('tells what a task asks, of whom, and what a guess would reach', () => {
    expect(formatEntry(describeIt('sum'))).toBe(
      `task sum, Sum

Adds the numbers up to a limit to the seed.

family: recall
headline: sum, higher is better
chance: 0.3
models: line, table

option  default  meaning
------  -------  -----------------------------------
terms   3        numbers to add
log              file that gets a line per execution
sleep   0        milliseconds that the task takes`,
    );
    expect(describeIt('clock')).toMatchObject({ kind: 'task', family: 'efficiency', models: [] });
  });

  it('tells the options of a model with their defaults, and the cells of a profile', () => {
    expect(describeIt('line')).toMatchObject({
      kind: 'model',
      trained: true,
      learningRate: 0.01,
      tasks: ['sum'],
      options: [{ name: 'width', default: 8, meaning: 'numbers per token' }],
    });
    expect(describeIt('tiny')).toEqual({
      kind: 'profile',
      name: 'tiny',
      description: 'A toy.',
      cells: 2,
      tasks: ['sum'],
      models: ['line'],
      seeds: [0, 1],
      learningRates: [],
    });
    expect(describeIt('crash')).toMatchObject({
      options: [{ name: 'how', choices: expect.arrayContaining(['throw', 'exit']) }, {}, {}],
    });
  });

  it('lists every name when there is none like it', () => {
    expect(() => describeIt('lin')).toThrow(
      "There is no task, model or profile 'lin' (did you mean 'line'?); there are sum, clock, crash, line, table, tiny.",
    );
  });
});
