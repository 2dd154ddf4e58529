import { optionsSchema, taskOutcomeSchema } from '@palimpsest/lm';
import { z } from 'zod';

export type { CellMetric, Curve, TaskOutcome } from '@palimpsest/lm';
export { taskOutcomeSchema } from '@palimpsest/lm';

/**
 * One unit of work of an evaluation: a task, done by a model (or by none, for tasks that measure a library), with one
 * seed, one learning rate and one engine. Cells do not depend on each other.
 */
export const cellSpecSchema = z.strictObject({
  /** Name of a registered task. */
  task: z.string().min(1),
  /** What differs from the task's defaults. */
  taskOptions: optionsSchema.default({}),
  /** Name of a registered contender; absent for tasks that need no model. */
  model: z.string().min(1).optional(),
  /** What differs from the contender's defaults: width, layers, and options of its own. */
  modelOptions: optionsSchema.default({}),
  /** Peak learning rate, for tasks that train. Absent: the contender's default. */
  learningRate: z.number().positive().optional(),
  seed: z.int().min(0),
  /** Name of the engine that computes, as in `createEngine`. */
  engine: z.string().min(1),
});

/** Where a cell was computed: enough to run it again and to distrust a comparison across machines. */
export const cellProvenanceSchema = z.strictObject({
  /** Version of every Palimpsest package that took part. */
  versions: z.record(z.string(), z.string()),
  /** Git revision of the working folder, when there is one. */
  revision: z.string().optional(),
  node: z.string(),
  platform: z.string(),
  cpu: z.string(),
  cores: z.int().positive(),
  memoryBytes: z.int().positive(),
  engine: z.strictObject({
    name: z.string(),
    runtime: z.string(),
    device: z.string(),
    threads: z.int().nonnegative(),
  }),
});

/** A result file: `cells/<key>.json` of a result folder. */
export const cellResultSchema = z.strictObject({
  format: z.literal('palimpsest-cell'),
  version: z.literal(1),
  /** SHA-256 of the specification and the versions, in hexadecimal. */
  key: z.string().regex(/^[0-9a-f]{64}$/),
  spec: cellSpecSchema,
  status: z.enum(['done', 'failed']),
  /** What was measured; absent when the cell failed. */
  outcome: taskOutcomeSchema.optional(),
  /** Why the cell failed, in one sentence. */
  error: z.string().optional(),
  provenance: cellProvenanceSchema,
  /** ISO 8601, UTC: when the cell was finished. */
  date: z.iso.datetime(),
  /** Wall time and time of all cores, seconds. */
  seconds: z.number().nonnegative(),
  cpuSeconds: z.number().nonnegative(),
  /** Largest resident memory of the process, bytes. */
  peakMemoryBytes: z.int().nonnegative(),
});

export type CellSpec = z.output<typeof cellSpecSchema>;
export type CellSpecInput = z.input<typeof cellSpecSchema>;
export type CellProvenance = z.output<typeof cellProvenanceSchema>;
export type CellResult = z.output<typeof cellResultSchema>;
