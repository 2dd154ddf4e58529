import { z } from 'zod';

/** Where a result comes from: enough to run it again and to distrust a comparison across machines. */
export const provenanceSchema = z.object({
  /** ISO 8601, UTC. */
  date: z.iso.datetime(),
  /** Version of every Palimpsest package that took part. */
  packages: z.record(z.string(), z.string()),
  node: z.string(),
  platform: z.string(),
  cpu: z.string(),
  cores: z.number().int().positive(),
  memoryBytes: z.number().int().positive(),
  engine: z.object({
    name: z.string(),
    runtime: z.string(),
    device: z.string(),
    threads: z.number().int().nonnegative(),
  }),
  seed: z.number().int(),
  /** Commit of the working tree, when there is one. */
  commit: z.string().optional(),
});

/** One number. `standardError` is there when the value is a mean over `samples`. */
export const metricSchema = z.object({
  name: z.string(),
  value: z.number(),
  unit: z.string(),
  higherIsBetter: z.boolean().optional(),
  standardError: z.number().nonnegative().optional(),
  samples: z.number().int().positive().optional(),
});

/** What one evaluation of one mechanism found. */
export const evaluationSchema = z.object({
  /** Stable name, as in 'osam/recall'. */
  name: z.string(),
  system: z.string(),
  title: z.string(),
  /** What was run and what a reader may conclude, in one or two sentences. */
  summary: z.string(),
  /** False when a check failed, as a golden case outside its tolerance. */
  passed: z.boolean(),
  seconds: z.number().nonnegative(),
  config: z.record(z.string(), z.unknown()),
  metrics: z.array(metricSchema),
  /** Vega-Lite specifications. */
  charts: z.array(z.record(z.string(), z.unknown())),
  error: z.string().optional(),
});

/** A result file: `results.json` of a report folder. */
export const resultsSchema = z.object({
  format: z.literal('palimpsest-results'),
  version: z.literal(1),
  suite: z.string(),
  provenance: provenanceSchema,
  seconds: z.number().nonnegative(),
  evaluations: z.array(evaluationSchema),
});

export type Provenance = z.infer<typeof provenanceSchema>;
export type Metric = z.infer<typeof metricSchema>;
export type EvaluationResult = z.infer<typeof evaluationSchema>;
export type Results = z.infer<typeof resultsSchema>;
