import { z } from 'zod';
import { type CellResult, cellProvenanceSchema } from '../cells/cell.js';
import type { EvaluationRegistry } from '../cells/task.js';
import { aggregate, failedCells } from './aggregate.js';
import { entrySchema, failedCellSchema } from './entry.js';

/** `results.json` of a result folder: what tables and pictures are made of. */
export const resultsDocumentSchema = z.strictObject({
  format: z.literal('palimpsest-results'),
  version: z.literal(3),
  title: z.string(),
  /** ISO 8601, UTC: when the newest cell was finished. */
  date: z.iso.datetime(),
  /** Commands that compute these cells and write this report. */
  commands: z.array(z.string()),
  entries: z.array(entrySchema),
  failed: z.array(failedCellSchema),
  /** Machines, versions and engines that cells were computed with. */
  provenance: z.array(cellProvenanceSchema.extend({ cells: z.int().positive() })),
  /** Sums over all cells, seconds. */
  seconds: z.number().nonnegative(),
  cpuSeconds: z.number().nonnegative(),
});

export type ResultsDocument = z.output<typeof resultsDocumentSchema>;

/**
 * The results of cells as one document.
 * @param title what was evaluated, as in 'quick evaluation'
 * @param commands that compute the cells and write the report
 */
export function resultsDocument(
  results: readonly CellResult[],
  registry: EvaluationRegistry,
  title: string,
  commands: readonly string[] = [],
): ResultsDocument {
  const order = registry.tasks.map(({ name }) => name);
  const place = ({ task }: { task: string }) => (order.indexOf(task) + order.length) % order.length;
  const total = (pick: (result: CellResult) => number) =>
    results.reduce((sum, result) => sum + pick(result), 0);
  return {
    format: 'palimpsest-results',
    version: 3,
    title,
    date:
      results
        .map(({ date }) => date)
        .sort()
        .at(-1) ?? new Date(0).toISOString(),
    commands: [...commands],
    entries: aggregate(results, registry).sort((a, b) => place(a) - place(b)),
    failed: failedCells(results),
    provenance: distinctProvenance(results),
    seconds: total(({ seconds }) => seconds),
    cpuSeconds: total(({ cpuSeconds }) => cpuSeconds),
  };
}

function distinctProvenance(results: readonly CellResult[]): ResultsDocument['provenance'] {
  const counts = new Map<string, { provenance: CellResult['provenance']; cells: number }>();
  for (const { provenance } of results) {
    const key = JSON.stringify(provenance);
    const known = counts.get(key);
    if (known) known.cells += 1;
    else counts.set(key, { provenance, cells: 1 });
  }
  return [...counts.values()].map(({ provenance, cells }) => ({ ...provenance, cells }));
}
