import { z } from 'zod';
import { bundleNames } from '../config.js';

/** Shapes of the JSON in saved files; what they hold is checked again by whoever takes it. */
const whole = z.int().min(0);
const slice = z.tuple([whole, whole]);

export const savedConfig = z.record(z.string(), z.unknown());
export const savedId = z.union([z.number(), z.string()]);
export const savedPosition = z.object({ seen: whole, random: z.array(z.number()).min(1).max(2) });

const savedCoder = z.object({
  coder: z.string(),
  bytesPerVec: z.int().min(1),
  layout: z.enum(['lengths', 'centroids']).optional(),
  states: z.literal([4, 8, 16, 32, 64, 128, 256]).optional(),
  radius: z.number().positive().optional(),
});

export const savedSet = z.object({
  epoch: whole,
  slices: z.array(slice),
  scaled: z.boolean(),
  dRes: whole,
  coder: savedCoder.nullable(),
});

const savedBuild = z.object({
  sets: z.array(savedSet.nullable()),
  offsets: z.array(z.record(z.string(), slice).nullable()),
  reports: z.array(
    z.object({ solveError: z.number(), fidelity: z.number(), outliers: whole.default(0) }).nullable(),
  ),
  maps: z.array(z.object({ key: z.string(), origin: z.enum(['given', 'ridge', 'random']) })),
});

const bundle = z.enum(bundleNames);

export const savedRegistry = z.object({
  config: savedConfig,
  routing: z.array(z.object({ owner: bundle, fields: z.array(z.string()) })),
  epoch: whole,
  builtAt: whole,
  encoded: whole,
  means: z.array(z.number().nullable()),
  skipped: z.array(whole),
  unrouted: z.array(z.string()),
  position: savedPosition,
  hasAxes: z.boolean(),
  current: savedBuild.nullable(),
  retired: z.array(z.tuple([whole, savedBuild])),
  samples: z.array(
    z.object({ fields: z.array(z.tuple([z.string(), whole])), base: z.array(z.tuple([bundle, whole])) }),
  ),
  handleSizes: z.array(whole),
});

export const savedStore = z.object({
  dimension: z.int().min(1),
  config: savedConfig,
  set: savedSet.nullable(),
  recordIds: z.array(savedId),
  rawIds: z.array(savedId),
  sampleIds: z.array(savedId),
  position: savedPosition,
});

export const savedCodec = z.object({
  options: z.object({
    dLLM: z.int().min(1),
    K: z.int().min(1),
    dRes: whole,
    varianceRatio: z.number().gt(0).max(1),
    minEntries: z.int().min(1),
  }),
  ids: z.array(savedId),
  counters: z.tuple([whole, whole, whole]),
  built: z.boolean(),
  dRes: whole,
});
