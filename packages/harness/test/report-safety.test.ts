import { beforeAll, describe, expect, it } from 'vitest';
import {
  type ResultsDocument,
  renderCsv,
  renderMarkdown,
  renderPage,
  resultsDocument,
  standardRegistry,
} from '../src/index.js';
import { syntheticResult } from './support/synthetic-results.js';

/** What would act if it stood unescaped: an element, an attribute, a link, a formula, steps out of a folder. */
const HOSTILE = [
  '<img src=x onerror=alert(1)>',
  '</script><script>alert(1)</script>',
  '" onmouseover="alert(1)',
  "' onload='alert(1)",
  '[here](javascript:alert(1))',
  '![x](https://example.org/x.png) https://example.org www.example.org me@example.org',
  '=HYPERLINK("http://example.org")',
  '+1+2',
  '-2+3',
  '@SUM(1)',
  '\t=1+1',
  '＝1+1',
  '../../../outside',
  'several\n# lines\n<b>bold</b>',
];

let document: ResultsDocument;
let page: { html: string; data: Readonly<Record<string, unknown>> };
beforeAll(async () => {
  document = resultsDocument(
    [...HOSTILE.flatMap(recallCells), ...otherCells(HOSTILE.join(' '))],
    standardRegistry,
    HOSTILE.join(' '),
  );
  page = await renderPage(document, standardRegistry);
}, 60_000);

/** The text in every place of a result that is free. */
function hostile(text: string) {
  const metric = (value: number, slice: Record<string, number | string> = {}) => ({
    name: 'accuracy',
    value,
    unit: text,
    slice,
  });
  const sliced = [1, 2, 3].map((at) => ({ ...metric(at, { [text]: at }), name: 'accuracy by slice' }));
  const curve = {
    name: text,
    xTitle: text,
    yTitle: text,
    points: [[1, 2] as [number, number], [2, 1] as [number, number]],
  };
  const outcome = {
    metrics: [metric(50), ...sliced],
    curves: [curve],
    notes: [text],
    modelConfig: { [text]: text },
  };
  const some = { taskOptions: { [text]: text }, modelOptions: { [text]: text } };
  return { metric, outcome, some };
}

function recallCells(text: string) {
  const { outcome, some } = hostile(text);
  return [
    syntheticResult({ task: 'mqar', model: text, ...some }, outcome),
    syntheticResult({ task: 'copying', model: text }, text),
  ];
}

function otherCells(text: string) {
  const { metric, outcome, some } = hostile(text);
  const depth = { ...metric(1, { depth: text, length: text }), name: 'accuracy by slice' };
  return [
    syntheticResult({ task: 'language', model: text, ...some }, outcome),
    syntheticResult({ task: 'passkey', model: text, ...some }, { ...outcome, metrics: [metric(1), depth] }),
    syntheticResult(
      { task: 'decoding-cost', model: text },
      { metrics: [{ ...metric(1, { context: 8 }), name: 'memory' }] },
    ),
    syntheticResult({ task: 'sketch-error', taskOptions: { system: text } }, outcome),
    syntheticResult({ task: 'parity', taskOptions: { system: text } }, { ...outcome, passed: false }),
    syntheticResult({ task: text, model: text, ...some }, outcome),
  ];
}

/** The page without the embedded document, which no browser runs. */
const shown = () => page.html.replace(/<script type="application\/json"[^>]*>[^<]*<\/script>/g, '');

describe('a report of results that hold markup, links and formulas', () => {
  it('has no element, attribute or address in its page but its own', () => {
    const elements = [...shown().matchAll(/<\/?([a-z][\w-]*)/gi)].map(([, name]) => name!.toLowerCase());
    const foreign = elements.filter((name) =>
      ['script', 'img', 'b', 'iframe', 'object', 'embed', 'link'].includes(name),
    );
    expect(foreign).toEqual([]);
    expect(/<[a-z][^<>]*\son[a-z]+\s*=/i.exec(shown())).toBeNull();
    const links = [...shown().matchAll(/\s(?:href|src|xlink:href)="([^"]*)"/g)].map(
      ([, address]) => address!,
    );
    expect(links.filter((address) => !/^(#|data:application\/json;base64,)/.test(address))).toEqual([]);
  });

  it('shows the text itself, and a policy under which nothing could run or be loaded', () => {
    expect(shown()).toContain('&lt;img src&#61;x onerror&#61;alert(1)&gt;');
    const [, policy] = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page.html)!;
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/script-src|https?:|\*/);
    const embedded = /<script type="application\/json" id="results">([^<]*)<\/script>/.exec(page.html)![1]!;
    expect(JSON.parse(embedded)).toEqual(JSON.parse(JSON.stringify(document)));
  });

  it('writes the data of pictures under plain names only', () => {
    expect(Object.keys(page.data).length).toBeGreaterThan(4);
    expect(Object.keys(page.data).filter((name) => !/^[\w-]+\.json$/.test(name))).toEqual([]);
  });

  it('has no field that a spreadsheet would compute, and numbers that it can', () => {
    const fields = [...renderCsv(document).matchAll(/(?:^|,|\r\n)(?:"((?:[^"]|"")*)"|([^,\r\n]*))/g)];
    const texts = fields.map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain!);
    expect(texts.filter((text) => /^\s*[=+@＝＋－＠\t\r]|^\s*-(?![\d.]+(?:e[-+]\d+)?$)/.test(text))).toEqual(
      [],
    );
    expect(texts).toContain('\'=HYPERLINK("http://example.org")');
    expect(texts.filter((text) => text === '50').length).toBeGreaterThan(HOSTILE.length);
  });

  it('has no element, link, picture or line of its own in its Markdown', () => {
    const markdown = renderMarkdown(document, standardRegistry);
    expect(markdown).not.toMatch(/<|\]\(|https?:|javascript:|www\.|\w@\w/i);
    expect(markdown).not.toMatch(/^# lines/m);
    expect(markdown).toContain('&#60;img src=x onerror=alert(1)&#62;');
  });
});
