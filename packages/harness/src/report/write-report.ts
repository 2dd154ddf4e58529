import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CellResult } from '../cells/cell.js';
import type { EvaluationRegistry } from '../cells/task.js';
import type { Results } from '../results/schema.js';
import { renderReport } from './html.js';

/** Writes `results.json` and `report.html` into a folder. Returns the path of the page. */
export async function writeReport(
  folder: string,
  title: string,
  cells: readonly CellResult[],
  registry: EvaluationRegistry,
): Promise<string> {
  const results: Results = { format: 'palimpsest-results', version: 2, title, cells: [...cells] };
  await writeFile(join(folder, 'results.json'), `${JSON.stringify(results, null, 2)}\n`);
  const page = join(folder, 'report.html');
  await writeFile(page, await renderReport(results, registry));
  return page;
}
