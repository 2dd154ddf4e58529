import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../src/cells/canonical-json.js';
import { cellKey } from '../../src/cells/key.js';
import { resolveCell, resolveCells } from '../../src/cells/resolve-cell.js';
import { registry, versions } from './support/cells.js';

const spec = {
  task: 'mqar',
  model: 'osam',
  taskOptions: { pairs: 8 },
  learningRate: 0.003,
  seed: 1,
  engine: 'onnx',
};

describe('cellKey', () => {
  it('stays what it was: results of earlier runs are found again', () => {
    expect(cellKey(spec, { '@palimpsest/harness': '1.0.0' })).toBe(
      '34e0e1aede6878886a9552e2d6a8d8599a332ba9c60e4a4b4d032104cad3eb85',
    );
  });

  it('does not depend on the order of keys, nor on defaults that are written out', () => {
    const { engine, seed, ...rest } = spec;
    const turned = { engine, seed, modelOptions: {}, ...rest };
    expect(cellKey(turned, { b: '2', a: '1' })).toBe(cellKey(spec, { a: '1', b: '2' }));
  });

  it('changes with every part of the specification and with the versions', () => {
    const keys = [
      cellKey(spec, versions),
      cellKey({ ...spec, task: 'induction' }, versions),
      cellKey({ ...spec, model: 'rsm' }, versions),
      cellKey({ ...spec, taskOptions: { pairs: 9 } }, versions),
      cellKey({ ...spec, modelOptions: { width: 64 } }, versions),
      cellKey({ ...spec, learningRate: 0.001 }, versions),
      cellKey({ ...spec, seed: 2 }, versions),
      cellKey({ ...spec, engine: 'cpu' }, versions),
      cellKey(spec, { ...versions, '@palimpsest/osam': '2.0.0' }),
    ];
    expect(new Set(keys).size).toBe(keys.length);
  });
});

describe('canonicalJson', () => {
  it('is JSON of the same value, whatever the order of the keys', () => {
    const json = fc.jsonValue({ depthSize: 'small' });
    fc.assert(
      fc.property(json, (value) => {
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
        expect(canonicalJson(reversed(value))).toBe(canonicalJson(value));
      }),
    );
  });
});

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, held]) => [key, reversed(held)]),
  );
}

describe('resolveCell', () => {
  const resolve = (input: object) =>
    resolveCell(registry, { task: 'sum', model: 'line', seed: 1, engine: 'auto', ...input } as never, {
      engine: 'cpu',
      versions,
    });

  it('gives the same key to the same cell, however it is written', () => {
    const written = resolve({
      taskOptions: { terms: 3 },
      modelOptions: { width: 8 },
      learningRate: 0.01,
      engine: 'cpu',
    });
    expect(written.key).toBe(resolve({}).key);
    expect(written.spec).toEqual({
      task: 'sum',
      model: 'line',
      taskOptions: {},
      modelOptions: {},
      learningRate: 0.01,
      seed: 1,
      engine: 'cpu',
    });
    expect(written.taskOptions).toEqual({ terms: 3, log: '', sleep: 0 });
    expect(resolve({ taskOptions: { terms: 4 } }).spec.taskOptions).toEqual({ terms: 4 });
  });

  it('leaves the learning rate out where nothing is trained, so that a grid of rates is one cell', () => {
    const rates = [0.1, 0.2].map((learningRate) => ({
      task: 'sum',
      model: 'table',
      learningRate,
      seed: 1,
      engine: 'cpu',
    }));
    const cells = resolveCells(registry, rates, { engine: 'cpu', versions });
    expect(cells).toHaveLength(1);
    expect(cells[0]!.spec.learningRate).toBeUndefined();
  });

  it.each([
    [{ task: 'sun' }, "There is no task 'sun' (did you mean 'sum'?); there are sum, clock, crash."],
    [{ model: 'quantum' }, "There is no model 'quantum'; there are line, table."],
    [
      { taskOptions: { term: 4 } },
      "There is no option of the task 'sum' called 'term' (did you mean 'terms'?); there are terms, log, sleep.",
    ],
    [
      { taskOptions: { terms: 0 } },
      "An option of the task 'sum' does not fit: terms: Too small: expected number to be >=1.",
    ],
    [{ seed: -1 }, "A cell's specification does not fit: seed: Too small: expected number to be >=0."],
    [{ task: 'clock' }, "The task 'clock' measures a library and takes no model."],
    [{ model: undefined }, "The task 'sum' needs a model."],
  ])('refuses %j in one sentence', (input, sentence) => {
    expect(() => resolve(input)).toThrow(sentence);
  });
});
