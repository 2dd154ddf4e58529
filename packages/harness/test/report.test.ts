import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type CellResult,
  formatDocument,
  formatMetric,
  formatNumber,
  learningCurveSvg,
  lineChart,
  type ResultsDocument,
  renderChart,
  renderCsv,
  renderMarkdown,
  renderPage,
  renderSummary,
  resultsDocument,
  resultsDocumentSchema,
  standardRegistry,
  textTable,
  writeReport,
} from '../src/index.js';
import { lineStyle } from '../src/report/colours.js';
import { formatBytes } from '../src/report/format.js';
import { crossover } from '../src/report/sections/efficiency.js';
import { syntheticResult, syntheticResults } from './support/synthetic-results.js';

let document: ResultsDocument;
let html: string;
let data: Readonly<Record<string, unknown>>;
beforeAll(async () => {
  document = resultsDocument(syntheticResults(), standardRegistry, 'A <made-up> evaluation');
  ({ html, data } = await renderPage(document, standardRegistry));
});

const entriesOf = (task: string) => document.entries.filter((entry) => entry.task === task);

describe('the results document', () => {
  it('fits its schema and survives JSON', () => {
    expect(resultsDocumentSchema.parse(JSON.parse(JSON.stringify(document)))).toEqual(document);
  });

  it('picks the better learning rate by the mean over seeds, keeps the grid, and gives the error over seeds', () => {
    const entry = entriesOf('mqar').find(
      ({ model, modelOptions }) => model === 'osam' && modelOptions.width === 16,
    )!;
    // 40 + 16 + 10 + seed at the rate 0.01; 40 + 16 + 1 + seed at 0.001. Seeds 1 and 2: mean 1.5, standard error 0.5.
    expect(entry.learningRate).toBe(1e-2);
    expect(entry.metrics[0]).toMatchObject({ value: 67.5, standardError: 0.5, seeds: 2 });
    expect(entry.rates.map(({ learningRate, headline }) => [learningRate, headline])).toEqual([
      [1e-3, 58.5],
      [1e-2, 67.5],
    ]);
    expect(entry.seeds).toEqual([1, 2]);
    expect(entry.cells).toHaveLength(2);
  });

  it('does not depend on the order in which cells are read, not even where values are equal', () => {
    const equal = ['rwkv-7', 'gru', 'osam'].flatMap((model) =>
      [2, 1].map((seed) =>
        syntheticResult(
          { task: 'copying', model, seed },
          { metrics: [{ name: 'accuracy', value: 100, unit: '%', slice: {} }] },
        ),
      ),
    );
    const cells = [...syntheticResults(), ...equal];
    const there = resultsDocument(cells, standardRegistry, 't');
    expect(resultsDocument(cells.toReversed(), standardRegistry, 't')).toEqual(there);
    const models = there.entries.filter(({ task }) => task === 'copying').map(({ model }) => model);
    expect(models.indexOf('osam')).toBeLessThan(models.indexOf('rwkv-7'));
  });

  it('takes the lower value where lower is better', () => {
    const cells = [0.9, 1.1].map((value, index) =>
      syntheticResult(
        { task: 'language', model: 'osam', learningRate: 0.001 * (index + 1) },
        { metrics: [{ name: 'bits per character', value, unit: 'bits', slice: {} }] },
      ),
    );
    expect(resultsDocument(cells, standardRegistry, 't').entries[0]!.learningRate).toBe(0.001);
  });

  it('tells groups of one task apart by their options', async () => {
    const options: CellResult['spec']['taskOptions'][] = [{}, { steps: 7 }];
    const cells = options.map((taskOptions) =>
      syntheticResult(
        { task: 'mqar', model: 'osam', taskOptions },
        {
          metrics: [{ name: 'accuracy', value: 5, unit: '%', slice: {} }],
          curves: [
            {
              name: 'training loss',
              xTitle: 'step',
              yTitle: 'nats',
              points: [
                [1, 3],
                [2, 2],
              ],
            },
          ],
        },
      ),
    );
    const two = resultsDocument(cells, standardRegistry, 't');
    expect(formatDocument(two, standardRegistry)).toContain('Multi-query associative recall (steps 7)');
    const page = await renderPage(two, standardRegistry);
    expect(page.html.match(/<h3[^>]*>Multi-query associative recall \((steps 7|as defined)\)/g)).toHaveLength(
      2,
    );
    expect(Object.keys(page.data)).toHaveLength(page.html.match(/<figure>/g)!.length);
  });

  it('keeps the error within a cell when there is one seed, lists failures, counts cells by machine', () => {
    expect(entriesOf('passkey')[0]!.metrics[0]).toMatchObject({ standardError: 1, samples: 64, seeds: 1 });
    expect(document.failed).toEqual([
      expect.objectContaining({
        label: 'copying/rsm, seed 1',
        error: 'the process was killed <by> a signal',
      }),
    ]);
    expect(document.provenance).toEqual([expect.objectContaining({ cells: 23, cpu: 'made up for a test' })]);
    expect(document.cpuSeconds).toBe(23 * 3);
  });
});

describe('tables', () => {
  it('the terminal shows every task, the best first, marks checks, and ends with what failed', () => {
    const text = formatDocument(document, standardRegistry);
    expect(text.indexOf('Transformer, sliding window, width 32')).toBeLessThan(
      text.indexOf('OSAM, width 32'),
    );
    expect(text).toMatch(/OSAM, width 16 +67\.5 ± 0\.5 % +1 000 +1\.6 kB/);
    expect(text).toContain(
      '\nMulti-query associative recall:\n- First: Transformer, sliding window, width 32 with 93.5 %',
    );
    for (const line of text.split('\n').filter((one) => /^(- | {2}\S)/.test(one) && !/ {3}/.test(one))) {
      expect(line.length).toBeLessThanOrEqual(80);
    }
    expect(text).toMatch(/✓ osam +100 %/);
    expect(text).toContain('✗ copying/rsm, seed 1: the process was killed <by> a signal');
  });

  it('CSV has a row per metric, quoted where needed', () => {
    const rows = renderCsv(document).trimEnd().split('\r\n');
    expect(rows).toHaveLength(1 + document.entries.reduce((sum, { metrics }) => sum + metrics.length, 0));
    expect(rows[0]).toMatch(/^task,task options,model,/);
    expect(rows.some((row) => row.includes('"{""width"":16}"'))).toBe(true);
  });

  it('Markdown has the tasks, the rates and the failures', () => {
    const text = renderMarkdown(document, standardRegistry);
    expect(text).toContain('- At equal bytes or fewer: OSAM with 1.6 kB is');
    expect(text).toContain('## Multi-query associative recall');
    expect(text).toContain('| OSAM, width 16 | 58.5 | 67.5 |');
    expect(text).toContain('- copying/rsm, seed 1');
  });

  it('the summary has the sentences alone, the command and the machine', () => {
    const text = renderSummary({ ...document, commands: ['palimpsest report here'] }, standardRegistry);
    expect(text).toContain(
      '**Multi-query associative recall**\n\n- First: Transformer, sliding window, width 32',
    );
    expect(text).toContain(
      'Beside Transformer, sliding window, width 32: OSAM, width 32 loses by 10 points (place 2 of 2, 83.5 %).',
    );
    expect(text).toContain('\n    palimpsest report here\n');
    expect(text).toContain('made up for a test');
    expect(text).not.toContain('|');
  });

  it('numbers have sensible digits', () => {
    expect([0, 1234567, 0.000012, Math.PI, 1e20].map(formatNumber)).toEqual([
      '0',
      '1 234 567',
      '1.20e-5',
      '3.142',
      '1.00e+20',
    ]);
    expect(formatMetric({ value: 98.64321, unit: '%', standardError: 0.4321 })).toBe('98.64 ± 0.43 %');
    expect([512, 8500, 2.5e6].map(formatBytes)).toEqual(['512 B', '8.5 kB', '2.5 MB']);
    expect(textTable(['a', 'b'], [['x', '10']], ['left', 'right'])).toBe('a   b\n-  --\nx  10');
  });
});

describe('the page', () => {
  it('stands alone: no address outside of it but names of XML namespaces', () => {
    const addresses = html.match(/(?:https?:)?\/\/[^\s"'<>)]+/g) ?? [];
    const outside = addresses.filter((address) => !/w3\.org|vega\.github\.io\/schema/.test(address));
    expect(outside).toEqual([]);
    expect(/<(?:script(?! type="application\/json")|link|img|iframe)/.test(html)).toBe(false);
  });

  it('has every section, each reachable from the contents, and escapes what it was given', () => {
    for (const id of [
      'overview',
      'recall',
      'language',
      'efficiency',
      'parity',
      'failed',
      'models',
      'provenance',
    ]) {
      expect(html.includes(`<section id="${id}"`), `<section id="${id}"`).toBe(true);
      expect(html.includes(`href="#${id}"`), `href="#${id}"`).toBe(true);
    }
    expect(html.includes('A &lt;made-up&gt; evaluation'), 'A &lt;made-up&gt; evaluation').toBe(true);
    expect(html.includes('killed &lt;by&gt; a signal'), 'killed &lt;by&gt; a signal').toBe(true);
    expect(html.includes('<made-up>')).toBe(false);
  });

  it('draws the pictures that were asked for, each with a description and its data', () => {
    expect(Object.keys(data)).toEqual(
      expect.arrayContaining([
        'mqar-frontier.json',
        'passkey-heat-map.json',
        'time-per-token.json',
        'parity.json',
      ]),
    );
    const figures = html.match(/<figure>.*?<\/figure>/gs)!;
    expect(figures).toHaveLength(Object.keys(data).length);
    for (const figure of figures) {
      // Drawn twice, for a desk and for a phone, and named outside of the drawing, where the title wraps.
      expect(figure.match(/<svg role="img" aria-label="[^"]{20,}"/g)).toHaveLength(2);
      expect(figure).toMatch(/^<figure><p class="figure-title">[^<]{5,}</);
      const encoded = /href="data:application\/json;base64,([^"]+)"/.exec(figure)![1]!;
      expect(Array.isArray(JSON.parse(Buffer.from(encoded, 'base64').toString()))).toBe(true);
    }
    const frontier = data['mqar-frontier.json'] as { x: number; y: number; series: string; error: number }[];
    expect(frontier).toContainEqual(
      expect.objectContaining({ x: 1600, y: 67.5, series: 'OSAM', error: 0.5 }),
    );
  });

  it('every table has headers for its columns and rows', () => {
    const tables = html.match(/<table>.*?<\/table>/gs)!;
    expect(tables.length).toBeGreaterThan(6);
    for (const table of tables) {
      const columns = (/<thead>(.*?)<\/thead>/s.exec(table)?.[1]?.match(/<th scope="col"/g) ?? []).length;
      const rows = table.split('<tbody>')[1]!.match(/<tr>.*?<\/tr>/gs)!;
      expect(columns).toBeGreaterThan(1);
      for (const row of rows) expect(row.match(/<t[hd]/g)).toHaveLength(columns);
    }
  });

  it('says who is below the floor, what older rates gave, and from where on a token is cheaper', () => {
    expect(/the best table of counts is the ([^<]*)</.exec(html)?.[1]).toBe(
      'n-gram table, order 3 with 2.7 bits; below it: OSAM.',
    );
    expect(html.includes('every learning rate that was tried')).toBe(true);
    expect(/OSAM: from about (\d+) tokens on/.exec(html)?.[1]).toBe('224');
  });
});

describe('terms', () => {
  it('are explained where they stand first, and once', () => {
    const first = (text: string) => html.indexOf(text);
    for (const term of ['accuracy', 'memory', 'parameters', 'bits per character']) {
      expect(html.split(`<dt>${term}</dt>`), term).toHaveLength(2);
    }
    expect(first('<dt>accuracy</dt>')).toBeLessThan(first('id="recall"'));
    expect(first('<dt>parameters</dt>')).toBeGreaterThan(first('id="recall"'));
  });
});

describe('lines of pictures', () => {
  it('differ in colour, dashes or sign, and have one order in every legend', () => {
    const styles = Array.from({ length: 32 }, (_, place) =>
      [0, 1, 2].map((among) => lineStyle(place, among)),
    );
    expect(new Set(styles.flat().map((style) => JSON.stringify(style))).size).toBe(96);
    const order = standardRegistry.contenders.map(({ title }) => title);
    const legends = html.match(/<ul class="legend">.*?<\/ul>/gs)!;
    expect(legends.length).toBeGreaterThan(2);
    for (const legend of legends) {
      const names = [...legend.matchAll(/<\/svg>([^<]+)<\/li>/g)].map(([, name]) => name!);
      const places = names.map((name) =>
        order.findIndex((title) => name === title || name.startsWith(`${title}, width`)),
      );
      expect(places).toEqual([...places].sort((a, b) => a - b));
    }
  });
});

describe('the command', () => {
  it('that computes the same again stands on the page', async () => {
    const again = resultsDocument(syntheticResults(), standardRegistry, 't', [
      'palimpsest eval --profile smoke',
    ]);
    const page = await renderPage(again, standardRegistry);
    expect(page.html).toContain('<pre class="command">palimpsest eval --profile smoke</pre>');
  });
});

describe('crossover', () => {
  it('is interpolated on logarithmic axes, and absent when the line is not below at the end', () => {
    const flat = [100, 1000].map((x) => ({ x, y: 10 }));
    const linear = [100, 1000].map((x) => ({ x, y: x / 31.6227766 }));
    expect(crossover(flat, linear)).toBeCloseTo(316.227766, 3);
    expect(crossover(linear, flat)).toBeUndefined();
    expect(
      crossover(
        flat,
        flat.map(({ x }) => ({ x, y: 20 })),
      ),
    ).toBe(100);
  });
});

describe('files', () => {
  it('writes the page, the tables and the data of every picture, and refuses to report on nothing', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'palimpsest-report-'));
    await writeReport(syntheticResults(), { folder, registry: standardRegistry, title: 'Written' });
    expect(readdirSync(folder).sort()).toEqual([
      'data',
      'report.html',
      'results.csv',
      'results.json',
      'results.md',
      'summary.md',
    ]);
    expect(readdirSync(join(folder, 'data')).sort()).toEqual(Object.keys(data).sort());
    const written = resultsDocumentSchema.parse(
      JSON.parse(readFileSync(join(folder, 'results.json'), 'utf8')),
    );
    expect(written.title).toBe('Written');
    await expect(writeReport([], { folder, registry: standardRegistry })).rejects.toThrow(
      'There is no result in',
    );
  });

  it('draws pictures of runs as files of their own', async () => {
    const svg = await learningCurveSvg([
      { step: 1, loss: 3 },
      { step: 2, loss: 2, validationLoss: 2.5 },
    ]);
    expect(svg).toMatch(/^<svg/);
    const chart = lineChart([{ name: 'a', points: [{ x: 1, y: 2 }] }], {
      title: 't',
      xTitle: 'x',
      yTitle: 'y',
    });
    expect(await renderChart(chart)).toContain('</svg>');
  });
});
