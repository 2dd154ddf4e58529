import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { expandGrid, parseGrid, readGridFile } from '../../src/cells/grid.js';
import { resolveCells } from '../../src/cells/resolve-cell.js';
import { emptyFolder, registry, versions } from './support/cells.js';

const expand = (grid: unknown) => expandGrid(registry, parseGrid(grid));

describe('a grid', () => {
  it('is every combination; what takes no model or no rate is there once', () => {
    const cells = expand({
      tasks: ['sum', { name: 'crash', options: { how: 'exit' } }],
      models: ['line', { name: 'table' }],
      sizes: [{ width: 16 }, { width: 32 }],
      learningRates: [0.1, 0.01, 0.001],
      seeds: [1, 2],
      engine: 'cpu',
    });
    // line: 2 sizes x 3 rates; table has no width, so that its two sizes are one cell; crash takes no model.
    expect(cells).toHaveLength(2 * (2 * 3 + 2 + 1));
    const resolved = resolveCells(registry, cells, { engine: 'cpu', versions });
    expect(resolved).toHaveLength(2 * (6 + 1 + 1));
    expect(resolved.map(({ spec }) => spec)).toContainEqual({
      task: 'sum',
      model: 'line',
      taskOptions: {},
      modelOptions: { width: 32 },
      learningRate: 0.01,
      seed: 2,
      engine: 'cpu',
    });
    expect(resolved.filter(({ spec }) => spec.task === 'crash').map(({ spec }) => spec.taskOptions)).toEqual([
      { how: 'exit' },
      { how: 'exit' },
    ]);
  });

  it('has every fitting model, one seed and own rates when it names none', () => {
    expect(expand({ tasks: ['sum'] })).toEqual([
      { task: 'sum', taskOptions: {}, model: 'line', modelOptions: {}, seed: 1, engine: 'auto' },
      { task: 'sum', taskOptions: {}, model: 'table', modelOptions: {}, seed: 1, engine: 'auto' },
    ]);
  });

  it.each([
    [{ tasks: ['sun'] }, "There is no task 'sun' (did you mean 'sum'?); there are sum, clock, crash."],
    [
      { tasks: ['sum'], models: ['lime'] },
      "There is no model 'lime' (did you mean 'line'?); there are line, table.",
    ],
    [
      { tasks: ['sum'], sizes: [{ widht: 3 }] },
      "There is no option of a model called 'widht' (did you mean 'width'?)",
    ],
    [{ tasks: ['sum'], models: [] }, 'None of the models can be asked sum;'],
    [{ task: ['sum'] }, 'The grid does not fit: tasks: '],
    [{ tasks: ['sum'], seeds: [-1] }, 'The grid does not fit: seeds.0: '],
    [{ tasks: ['sum'], rates: [1] }, 'The grid does not fit: Unrecognized key: "rates".'],
  ])('is refused when it is wrong: %j', (grid, sentence) => {
    expect(() => expand(grid)).toThrow(sentence);
  });

  it('is read from a file', async () => {
    const path = join(emptyFolder(), 'sweep.json');
    writeFileSync(path, '{"tasks": ["sum"]}');
    expect(await readGridFile(path)).toEqual({ tasks: ['sum'] });
    writeFileSync(path, '["sum"]');
    await expect(readGridFile(path)).rejects.toThrow(`The grid '${path}' must hold one JSON object.`);
    await expect(readGridFile(`${path}5`)).rejects.toThrow(
      /^The grid '.*' cannot be read: there is no such file/,
    );
  });
});
