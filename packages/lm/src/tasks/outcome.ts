import { z } from 'zod';

/** Options as they stand in a file: values that survive `JSON.stringify`. */
export const optionsSchema = z.record(z.string(), z.json());

/** One number. The slice says where it was measured, as in `{ length: 256, depth: 0.5 }`. */
export const cellMetricSchema = z.strictObject({
  name: z.string().min(1),
  value: z.number(),
  unit: z.string(),
  slice: z.record(z.string(), z.union([z.number(), z.string()])).default({}),
  higherIsBetter: z.boolean().optional(),
  /** Standard error of the value over `samples` within this cell. */
  standardError: z.number().nonnegative().optional(),
  samples: z.int().positive().optional(),
});

/** A line worth drawing, as the loss over training steps. */
export const curveSchema = z.strictObject({
  name: z.string().min(1),
  xTitle: z.string(),
  yTitle: z.string(),
  points: z.array(z.tuple([z.number(), z.number()])),
});

/** What a task reports about a cell. */
export const taskOutcomeSchema = z.strictObject({
  metrics: z.array(cellMetricSchema),
  curves: z.array(curveSchema).default([]),
  /** Trainable numbers of the model. */
  parameters: z.int().nonnegative().optional(),
  /** Bytes of the memory that one text needs between two tokens. */
  stateBytes: z.int().nonnegative().optional(),
  /** Every option of the model, decided. */
  modelConfig: optionsSchema.optional(),
  /** False when a check failed, as a golden case outside its tolerance. Absent: nothing was checked. */
  passed: z.boolean().optional(),
  /** What a reader should know, one sentence each. */
  notes: z.array(z.string()).default([]),
});

export type CellMetric = z.output<typeof cellMetricSchema>;
export type Curve = z.output<typeof curveSchema>;
export type TaskOutcome = z.output<typeof taskOutcomeSchema>;
export type TaskOutcomeInput = z.input<typeof taskOutcomeSchema>;
