import { z } from 'zod';
import { canonicalJson } from '../cells/canonical-json.js';
import { type CellResult, type CellSpec, cellProvenanceSchema } from '../cells/cell.js';
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
 * Cells by the order in which the registry has their models, then by width and everything else: of equal values the first one
 * is named in words, which must not depend on the order in which files were read.
 */
function inOrder(results: readonly CellResult[], { contenders }: EvaluationRegistry): CellResult[] {
  const places = new Map(contenders.map(({ name }, index) => [name, index]));
  const placeOf = ({ model }: CellSpec) =>
    model === undefined ? -1 : (places.get(model) ?? contenders.length);
  const widthOf = ({ modelOptions: { width } }: CellSpec) => (typeof width === 'number' ? width : 0);
  const keyed = results.map((result) => ({ result, spec: result.spec, key: canonicalJson(result.spec) }));
  return keyed
    .sort(
      (a, b) =>
        placeOf(a.spec) - placeOf(b.spec) ||
        widthOf(a.spec) - widthOf(b.spec) ||
        (a.key < b.key ? -1 : Number(a.key > b.key)),
    )
    .map(({ result }) => result);
}

/**
 * The results of cells as one document, the same in whatever order they come.
 * @param cells in any order
 * @param title what was evaluated, as in 'quick evaluation'
 * @param commands that compute the cells and write the report
 */
export function resultsDocument(
  cells: readonly CellResult[],
  registry: EvaluationRegistry,
  title: string,
  commands: readonly string[] = [],
): ResultsDocument {
  const results = inOrder(cells, registry);
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
