import { z } from 'zod';
import { cellResultSchema } from '../cells/cell.js';

/** The results document: `results.json` of a report folder. */
export const resultsSchema = z.strictObject({
  format: z.literal('palimpsest-results'),
  version: z.literal(2),
  /** What was run, as the name of a profile. */
  title: z.string(),
  cells: z.array(cellResultSchema),
});

export type Results = z.output<typeof resultsSchema>;
