import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';

const positiveInt = z.int().min(1);
const baseDimension = z.int().min(4);
const lossWeight = z.number().min(0);

/**
 * Every field of the agent memory's configuration that the geometry reads or checks. Defaults are the published
 * model's, except the fields of the last block, which choose between the original's arithmetic and ours.
 */
export const fiberConfigSchema = z.strictObject({
  dTime: baseDimension.default(8).describe('base dimension of the time bundle'),
  dTopic: baseDimension.default(16).describe('base dimension of the topic bundle'),
  dCtx: baseDimension.default(12).describe('base dimension of the ctx bundle'),
  dFTime: positiveInt.default(32).describe('fiber dimension of the time bundle'),
  dFTopic: positiveInt.default(64).describe('fiber dimension of the topic bundle'),
  dFCtx: positiveInt.default(48).describe('fiber dimension of the ctx bundle'),
  nHeadsTime: positiveInt.default(4).describe('attention heads over the fibers of the time bundle'),
  nHeadsTopic: positiveInt.default(8).describe('attention heads over the fibers of the topic bundle'),
  nHeadsCtx: positiveInt.default(4).describe('attention heads over the fibers of the ctx bundle'),
  nGeoPts: z.int().min(2).default(8).describe('interior points of a path'),
  geoMaxSteps: z.int().min(0).default(80).describe('Adam steps of the parity solver'),
  geoTol: z.number().positive().default(1e-5).describe('relative energy change that stops the parity solver'),
  geoLr: z.number().positive().default(0.02).describe('Adam learning rate of the parity solver'),
  normCorrectionInterval: positiveInt.default(4).describe('segments between renormalisations'),
  treeK: z.int().min(2).default(8).describe('split fan-out of the direction tree'),
  treeMaxLeaf: positiveInt.default(20).describe('ids that a leaf may hold'),
  retrievalBeam: positiveInt.default(5).describe('beam width of the direction tree'),
  retrievalTopk: positiveInt.default(8).describe('length of a returned list'),
  compressionMinDim: z
    .int()
    .min(64)
    .default(256)
    .describe('size from which a raw array on an entry is illegal'),
  strictShapeChecks: z.boolean().default(true).describe('validate an entry when it is added'),
  dLLM: positiveInt.default(1536).describe('width of the language model'),

  nKakeyaSets: z.int().min(2).default(4).describe('Kakeya sets that descriptive fields are routed to'),
  kakeyaVarianceRatio: z
    .number()
    .gt(0)
    .max(1)
    .default(0.99)
    .describe('share of the variance that a set keeps'),
  kakeyaK: z.int().min(2).default(16).describe('segment centers of a set'),
  kakeyaDRes: z.int().min(0).default(5).describe('residual entries of a record'),
  kakeyaMinEntries: z.int().min(2).default(8).describe('entries from which the sets are built'),
  kakeyaAlignmentTol: z.number().positive().default(1e-3).describe('largest alignment error of a set'),
  kakeyaReconstructionTol: z
    .number()
    .gt(0)
    .lt(1)
    .default(0.15)
    .describe('largest relative error of a record'),
  lMem: positiveInt.default(8).describe('memory slots given to the language model'),
  prefixSlotsTime: positiveInt.default(2),
  prefixSlotsTopic: positiveInt.default(4),
  prefixSlotsCtx: positiveInt.default(2),
  tau: z.number().gt(0).lt(1).default(0.07).describe('temperature of the contrastive retrieval'),
  cfgScale: z.number().min(0).default(3),
  llmDtype: z.enum(['bf16', 'fp16', 'fp32']).default('bf16'),
  lossWeights: z.record(z.string(), lossWeight).default({}),

  mode: z
    .enum(['parity', 'improved'])
    .default('improved')
    .describe('selects the defaults of the fields below'),
  connection: z.enum(['reference', 'homogeneous', 'linear']).optional(),
  connectionRank: positiveInt.optional().describe('generators of a linear connection'),
  integrator: z.enum(['rk4', 'polar', 'magnus4', 'cayley']).optional(),
  normPolicy: z.enum(['interval', 'exact', 'none']).optional(),
  pathVelocity: z.enum(['chord', 'tangent']).optional(),
  greatCircle: z.enum(['clamped', 'robust']).optional(),
  geodesicMethod: z.enum(['adam', 'h1-lbfgs', 'straight']).optional(),
  indexKind: z.enum(['flat', 'tree', 'cone', 'hnsw', 'auto']).optional(),
  treeScoring: z.enum(['accumulated', 'cosine']).optional(),
  capacity: positiveInt.optional().describe('entries kept before one is evicted; unbounded when absent'),
  evictionPolicy: z.enum(['oldest', 'leastRecentlyUsed', 'lowestScore']).default('oldest'),
  evictionTau: z.number().positive().default(1000).describe("time constant of the 'lowestScore' policy"),
});

export type FiberConfig = z.output<typeof fiberConfigSchema>;
export type FiberConfigInput = z.input<typeof fiberConfigSchema>;

/** The options that `mode` decides when they are not set one by one (DERIVATION.md, "Modes"). */
export interface ModeDefaults {
  readonly connection: 'reference' | 'homogeneous' | 'linear';
  readonly integrator: 'rk4' | 'polar' | 'magnus4' | 'cayley';
  readonly normPolicy: 'interval' | 'exact' | 'none';
  readonly pathVelocity: 'chord' | 'tangent';
  readonly greatCircle: 'clamped' | 'robust';
  readonly geodesicMethod: 'adam' | 'h1-lbfgs' | 'straight';
  readonly indexKind: 'flat' | 'tree' | 'cone' | 'hnsw' | 'auto';
  readonly treeScoring: 'accumulated' | 'cosine';
}

export const modeDefaults: Record<'parity' | 'improved', ModeDefaults> = {
  parity: {
    connection: 'reference',
    integrator: 'rk4',
    normPolicy: 'interval',
    pathVelocity: 'chord',
    greatCircle: 'clamped',
    geodesicMethod: 'adam',
    indexKind: 'tree',
    treeScoring: 'accumulated',
  },
  improved: {
    connection: 'linear',
    integrator: 'polar',
    normPolicy: 'exact',
    pathVelocity: 'tangent',
    greatCircle: 'robust',
    geodesicMethod: 'h1-lbfgs',
    indexKind: 'auto',
    treeScoring: 'cosine',
  },
};

/**
 * Fills in defaults and checks every rule.
 * @throws InputError naming the first field that is unknown, of the wrong type, or out of range.
 */
export function fiberConfig(input: FiberConfigInput = {}): FiberConfig & ModeDefaults {
  const parsed = fiberConfigSchema.safeParse(input);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    const field = issue.code === 'unrecognized_keys' ? issue.keys.join(', ') : issue.path.join('.');
    throw new InputError(`Configuration field '${field}': ${issue.message}.`);
  }
  const config = parsed.data;
  checkHeads(config);
  checkSlots(config);
  const chosen = Object.fromEntries(
    Object.entries(modeDefaults[config.mode]).map(([key, value]) => [
      key,
      config[key as keyof ModeDefaults] ?? value,
    ]),
  );
  return { ...config, ...(chosen as unknown as ModeDefaults) };
}

function checkHeads(config: FiberConfig): void {
  const pairs = [
    ['dFTime', 'nHeadsTime'],
    ['dFTopic', 'nHeadsTopic'],
    ['dFCtx', 'nHeadsCtx'],
  ] as const;
  for (const [fiber, heads] of pairs) {
    if (config[fiber] % config[heads] === 0) continue;
    throw new InputError(
      `Configuration field '${fiber}' (${config[fiber]}) must be a multiple of '${heads}' (${config[heads]}).`,
    );
  }
}

function checkSlots(config: FiberConfig): void {
  const sum = config.prefixSlotsTime + config.prefixSlotsTopic + config.prefixSlotsCtx;
  if (sum === config.lMem) return;
  throw new InputError(
    `Configuration field 'lMem' (${config.lMem}) must equal prefixSlotsTime + prefixSlotsTopic + prefixSlotsCtx (${sum}).`,
  );
}
