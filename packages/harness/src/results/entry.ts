import { cellMetricSchema, curveSchema } from '@palimpsest/lm';
import { z } from 'zod';
import { cellSpecSchema } from '../cells/cell.js';

const aggregatedMetricSchema = cellMetricSchema.extend({
  slice: z.record(z.string(), z.union([z.number(), z.string()])),
  /** Seeds that the value is a mean over; the standard error is over seeds from two on, else over samples in the cell. */
  seeds: z.int().positive(),
  /** Seed and value, where there are two seeds or more: what differences are paired by. */
  bySeed: z.array(z.tuple([z.int(), z.number()])).optional(),
});

const rateSchema = z.strictObject({
  /** Absent for what is not trained. */
  learningRate: z.number().positive().optional(),
  /** Mean headline over seeds. */
  headline: z.number().optional(),
  standardError: z.number().nonnegative().optional(),
  seeds: z.array(z.int()),
});

/** What was measured of one model under one set of options: cells that differ in seed and learning rate, together. */
export const entrySchema = z.strictObject({
  task: z.string(),
  taskOptions: cellSpecSchema.shape.taskOptions.unwrap(),
  model: z.string().optional(),
  modelOptions: cellSpecSchema.shape.modelOptions.unwrap(),
  engine: z.string(),
  /** The best of the rates that were tried. */
  learningRate: z.number().positive().optional(),
  seeds: z.array(z.int()),
  /** Every rate that was tried, increasing. */
  rates: z.array(rateSchema),
  metrics: z.array(aggregatedMetricSchema),
  curves: z.array(curveSchema),
  parameters: z.int().nonnegative().optional(),
  stateBytes: z.int().nonnegative().optional(),
  modelConfig: z.record(z.string(), z.json()).optional(),
  passed: z.boolean().optional(),
  notes: z.array(z.string()),
  /** Means over the cells, seconds. */
  seconds: z.number().nonnegative(),
  cpuSeconds: z.number().nonnegative(),
  /** Largest resident memory of a cell's process, bytes. */
  peakMemoryBytes: z.int().nonnegative(),
  /** Keys of the cells behind the values. */
  cells: z.array(z.string()),
});

export const failedCellSchema = z.strictObject({
  key: z.string(),
  spec: cellSpecSchema,
  label: z.string(),
  error: z.string(),
});

export type AggregatedMetric = z.output<typeof aggregatedMetricSchema>;
export type Rate = z.output<typeof rateSchema>;
export type Entry = z.output<typeof entrySchema>;
export type FailedCell = z.output<typeof failedCellSchema>;
