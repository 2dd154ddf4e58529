import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { fiberConfigSchema } from '../config.js';

const weight = z.number().positive();

const storeConfigSchema = fiberConfigSchema
  .pick({
    dTime: true,
    dTopic: true,
    dCtx: true,
    dFTime: true,
    dFTopic: true,
    dFCtx: true,
    treeK: true,
    treeMaxLeaf: true,
    retrievalBeam: true,
    retrievalTopk: true,
    compressionMinDim: true,
    strictShapeChecks: true,
    kakeyaReconstructionTol: true,
    mode: true,
    indexKind: true,
    treeScoring: true,
    capacity: true,
    evictionPolicy: true,
    evictionTau: true,
  })
  .extend({
    fusedWeights: z
      .object({ time: weight, topic: weight, ctx: weight })
      .optional()
      .describe(
        'weights of fused searches that are known beforehand: one index over all bundles serves them then, in place of one per bundle; others are served too',
      ),
  })
  .strip();

/** The part of the configuration that the store reads; other fields are ignored. */
export type StoreConfig = z.output<typeof storeConfigSchema>;

export type StoreConfigInput = z.input<typeof storeConfigSchema>;

/** Fills in defaults. @throws InputError naming a field that is out of range. */
export function storeConfig(input: StoreConfigInput): StoreConfig {
  const parsed = storeConfigSchema.safeParse(input);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new InputError(`Configuration field '${issue.path.join('.')}': ${issue.message}.`);
}
