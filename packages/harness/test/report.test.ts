import { createEngine, type Engine } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Evaluation,
  formatNumber,
  formatResults,
  learningCurveSvg,
  lineChart,
  renderChart,
  renderReport,
  resultsSchema,
  runSuite,
  scatterChart,
  textTable,
} from '../src/index.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('cpu');
});
afterAll(() => engine.dispose());

const measures: Evaluation = {
  name: 'toy/measures',
  system: 'toy',
  title: 'Toy <measures>',
  async run({ progress, seed }) {
    progress(0.5, 'half');
    return {
      summary: 'Two & two.',
      passed: true,
      config: { seed },
      metrics: [{ name: 'recall', value: 0.98765, unit: '', standardError: 0.01, samples: 3 }],
      charts: [
        lineChart(
          [
            { x: 1, y: 2, series: 'a' },
            { x: 2, y: 1, series: 'a' },
          ],
          { title: 'Falls', xTitle: 'x', yTitle: 'y' },
        ),
      ],
    };
  },
};
const breaks: Evaluation = {
  name: 'toy/breaks',
  system: 'toy',
  title: 'Breaks',
  run: () => Promise.reject(new Error('no such memory')),
};

describe('runSuite', () => {
  it('gives results that fit the schema, and goes on after an evaluation that throws', async () => {
    const events: string[] = [];
    const results = await runSuite([breaks, measures], { name: 'test', engine, seed: 7 }, (event) =>
      events.push(event.type),
    );
    expect(events).toEqual(['start', 'result', 'start', 'progress', 'result']);
    expect(resultsSchema.parse(JSON.parse(JSON.stringify(results)))).toEqual(results);
    expect(results.evaluations.map(({ passed }) => passed)).toEqual([false, true]);
    expect(results.evaluations[0]!.error).toBe('no such memory');
    expect(results.evaluations[1]!.config).toEqual({ seed: 7 });
    expect(results.provenance.engine.name).toBe('cpu');
    expect(results.provenance.packages).toHaveProperty('@palimpsest/harness');
  });

  it('stops at an abort with what it has', async () => {
    const abort = new AbortController();
    const results = await runSuite(
      [measures, measures],
      { name: 'test', engine, signal: abort.signal },
      (event) => {
        if (event.type === 'result') abort.abort();
      },
    );
    expect(results.evaluations).toHaveLength(1);
  });
});

describe('renderReport', () => {
  it('is one page: charts inside, nothing fetched, text escaped, results embedded', async () => {
    const results = await runSuite([measures, breaks], { name: 'quick', engine });
    const page = await renderReport(results);
    expect(page.match(/<svg /g)).toHaveLength(1);
    expect(page).toContain('Toy &lt;measures&gt;');
    expect(page).toContain('Two &amp; two.');
    expect(page).toContain('no such memory');
    expect(page).not.toMatch(/<(script|link|img)[^>]+(src|href)=/);
    const embedded = /<script type="application\/json" id="results">(.*)<\/script>/.exec(page)![1]!;
    expect(JSON.parse(embedded)).toEqual(JSON.parse(JSON.stringify(results)));
  });

  it('has a text form with a row per metric', async () => {
    const text = formatResults(await runSuite([measures, breaks], { name: 'quick', engine }));
    expect(text).toMatch(/✓ +toy\/measures +recall +0\.9877 ± 0\.01/);
    expect(text).toMatch(/✗ +toy\/breaks +no such memory/);
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
