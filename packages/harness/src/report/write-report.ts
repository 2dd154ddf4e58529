import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError, writeFileAtomically } from '@palimpsest/tensor-core';
import type { CellResult } from '../cells/cell.js';
import type { EvaluationRegistry } from '../cells/task.js';
import { renderCsv } from '../results/csv.js';
import { type ResultsDocument, resultsDocument } from '../results/document.js';
import { renderMarkdown, renderSummary } from '../results/markdown.js';
import { renderPage } from './page.js';

export interface WriteReportOptions {
  /** Folder for results.json, results.md, results.csv, summary.md, report.html and data/. */
  readonly folder: string;
  readonly registry: EvaluationRegistry;
  /** Heading. Default 'Palimpsest evaluation' */
  readonly title?: string | undefined;
  /** Commands that compute the cells and write this report, for who wants to do it again. */
  readonly commands?: readonly string[];
}

/**
 * Writes the report of results: `report.html`, `results.json`, `results.md`, `summary.md`, `results.csv`, and `data/*.json`, the data
 * behind every picture. Each file is replaced as a whole.
 * @returns the document that all of them are made of
 * @throws InputError when there is no result.
 */
export async function writeReport(
  results: readonly CellResult[],
  { folder, registry, title = 'Palimpsest evaluation', commands }: WriteReportOptions,
): Promise<ResultsDocument> {
  if (results.length === 0) {
    throw new InputError(
      `There is no result in '${folder}' to report on; run an evaluation or a sweep first.`,
    );
  }
  const document = resultsDocument(results, registry, title, commands);
  const { html, data } = await renderPage(document, registry);
  await mkdir(join(folder, 'data'), { recursive: true });
  const files: Record<string, string> = {
    'results.json': json(document),
    'results.md': renderMarkdown(document, registry),
    'summary.md': renderSummary(document, registry),
    'results.csv': renderCsv(document),
    'report.html': html,
    ...Object.fromEntries(Object.entries(data).map(([name, values]) => [join('data', name), json(values)])),
  };
  const encoder = new TextEncoder();
  for (const [name, text] of Object.entries(files)) {
    await writeFileAtomically(join(folder, name), encoder.encode(text));
  }
  return document;
}

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
