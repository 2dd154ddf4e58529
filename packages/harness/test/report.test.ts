import { describe, expect, it } from 'vitest';
import type { CellMetric, CellResult } from '../src/cells/cell.js';
import { runCell } from '../src/cells/run-cell.js';
import {
  formatAggregates,
  formatNumber,
  learningCurveSvg,
  type Results,
  renderChart,
  renderReport,
  resultsSchema,
  scatterChart,
  textTable,
} from '../src/index.js';
import { aggregate } from '../src/results/aggregate.js';
import { registry, toyCells, versions } from './cells/support/cells.js';

/** A finished cell of the toy task with chosen numbers. */
async function cell(
  value: number,
  {
    seed = 0,
    rate = 0.01,
    width = 8,
    model = 'line',
    bytes = 8 * width,
  }: Record<string, number> & { model?: string } = {},
): Promise<CellResult> {
  const spec = { ...toyCells(1)[0]!, model, seed, learningRate: rate, modelOptions: { width } };
  const result = await runCell(registry, spec, { versions });
  const metric = (name: string, y: number, slice = {}): CellMetric => ({ name, value: y, unit: '%', slice });
  return {
    ...result,
    outcome: {
      ...result.outcome!,
      metrics: [
        metric('sum', value),
        metric('sum', value, { length: 16 }),
        metric('sum', value / 2, { length: 32 }),
      ],
      curves: [
        {
          name: 'loss',
          xTitle: 'step',
          yTitle: 'nats',
          points: [
            [0, 2],
            [1, 1],
          ],
        },
      ],
      stateBytes: bytes,
      notes: ['Two & two.'],
    },
  };
}

async function failure(seed: number): Promise<CellResult> {
  const { outcome: _, ...rest } = await cell(0, { seed });
  return { ...rest, status: 'failed', error: 'no such <memory>' };
}

describe('aggregate', () => {
  it('takes the best rate by the mean over seeds, with its standard error, and keeps the others', async () => {
    const cells = [
      await cell(10, { seed: 1 }),
      await cell(14, { seed: 2 }),
      await cell(99, { seed: 1, rate: 0.1 }),
      await cell(-99, { seed: 2, rate: 0.1 }),
      await failure(3),
    ];
    const [group, ...others] = aggregate(cells, registry);
    expect(others).toEqual([]);
    expect(group!.rates.map(({ learningRate, mean }) => [learningRate, mean])).toEqual([
      [0.01, 12],
      [0.1, 0],
    ]);
    expect(group!.best).toMatchObject({ learningRate: 0.01, mean: 12, standardError: 2 });
    expect(group!.best.failures).toHaveLength(1);
  });

  it('keeps apart what differs in more than seed and rate, in the order of the tasks', async () => {
    const crashed = await runCell(registry, toyCells(1, 'crash')[0]!, { versions });
    const cells = [crashed, await cell(1), await cell(2, { width: 16 })];
    expect(aggregate(cells, registry).map(({ task, best }) => [task.name, best.mean])).toEqual([
      ['sum', 1],
      ['sum', 2],
      ['crash', undefined],
    ]);
  });
});

describe('renderReport', () => {
  it('is one page: charts inside, nothing fetched, text escaped, results embedded', async () => {
    const cells = [await cell(1), await cell(2, { width: 16 }), await failure(2)];
    const results: Results = { format: 'palimpsest-results', version: 2, title: 'A <test>', cells };
    expect(resultsSchema.parse(JSON.parse(JSON.stringify(results)))).toEqual(results);
    const page = await renderReport(results, registry);
    // Against memory, by length, and the loss.
    expect(page.match(/<svg /g)).toHaveLength(3);
    expect(page).toContain('A &lt;test&gt;');
    expect(page).toContain('Two &amp; two.');
    expect(page).toContain('no such &lt;memory&gt;');
    expect(page).toContain('a blind guess reaches 0.3');
    expect(page).not.toMatch(/<(script|link|img)[^>]+(src|href)=/);
    const embedded = /<script type="application\/json" id="results">(.*)<\/script>/.exec(page)![1]!;
    expect(JSON.parse(embedded)).toEqual(JSON.parse(JSON.stringify(results)));
  });

  it('has a text form with a row per model and size', async () => {
    const cells = [await cell(1, { seed: 1 }), await cell(2, { seed: 2 }), await cell(3, { width: 16 })];
    const text = formatAggregates(aggregate(cells, registry));
    expect(text).toMatch(/✓ +sum +Line +sum +1\.5 ± 0\.5 +64\n/);
    expect(text).toMatch(/✓ +Line, width 16 +sum +3 +128$/);
    expect(formatAggregates(aggregate([await failure(1)], registry))).toMatch(
      /✗ +sum +Line +no such <memory> +-/,
    );
  });
});

describe('charts', () => {
  it('draw every point, and leave out what a logarithmic axis cannot show', async () => {
    const points = [0, 1, 10, 100].map((x) => ({ x, y: x + 1, series: 's' }));
    const axes = { title: 'T', xTitle: 'bytes', yTitle: 'recall' };
    const dots = (svg: string) => svg.match(/aria-roledescription="point"/g)?.length;
    expect(dots(await renderChart(scatterChart(points, axes)))).toBe(4);
    expect(dots(await renderChart(scatterChart(points, { ...axes, xScale: 'log' })))).toBe(3);
  });

  it('draw a learning curve whose smoothed line starts at the first loss', async () => {
    const svg = await learningCurveSvg(
      Array.from({ length: 1000 }, (_, step) => ({
        step,
        loss: 3 / (1 + step / 100),
        ...(step % 500 === 0 ? { validationLoss: 2 } : {}),
      })),
      { title: 'A run' },
    );
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
    expect(svg).toContain('A run');
    expect(svg).toContain('held-out');
    expect(svg).toContain('step: 0; loss (nats per token): 3; series: training (smoothed)');
    expect(svg.length).toBeLessThan(200_000);
  });
});

describe('text', () => {
  it('sets columns', () => {
    expect(
      textTable(
        ['name', 'n'],
        [
          ['é', '1'],
          ['long name', '10'],
        ],
        ['left', 'right'],
      ),
    ).toBe('name        n\n---------  --\né           1\nlong name  10');
  });

  it('writes numbers with four significant digits', () => {
    expect([0, 0.123456, 12.34567, 1234.5, 1234567, 0.00001234, -3, Number.NaN].map(formatNumber)).toEqual([
      '0',
      '0.1235',
      '12.35',
      '1 235',
      '1 234 567',
      '1.23e-5',
      '-3',
      'NaN',
    ]);
  });
});
