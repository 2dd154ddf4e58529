import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';

const count = z.int().min(1);
const baseWidth = z.int().min(4);

/** Weights of the five losses of the published trainer. */
export const lossWeights = {
  recon: 1,
  bundleAxisAlignment: 0.5,
  crossBundleIndependence: 0.2,
  prefixSemanticAnchor: 0.5,
  writePolicy: 0.1,
} as const;

/**
 * Every option of an agent's memory. Widths and numbers of slots are the published program's; the options of the last
 * block choose between its arithmetic and ours, and their defaults are ours (DERIVATION.md, "Modes").
 */
export const memoryConfigSchema = z.strictObject({
  dLLM: count.default(1536).describe('hidden width of the language model'),
  dTime: baseWidth.default(8).describe('base dimension of the time bundle'),
  dFTime: count.default(32).describe('fiber dimension of the time bundle'),
  nHeadsTime: count.default(4).describe('attention heads over the fibers of the time bundle'),
  dTopic: baseWidth.default(16).describe('base dimension of the topic bundle'),
  dFTopic: count.default(64).describe('fiber dimension of the topic bundle'),
  nHeadsTopic: count.default(8).describe('attention heads over the fibers of the topic bundle'),
  dCtx: baseWidth.default(12).describe('base dimension of the context bundle'),
  dFCtx: count.default(48).describe('fiber dimension of the context bundle'),
  nHeadsCtx: count.default(4).describe('attention heads over the fibers of the context bundle'),

  nKakeyaSets: z.int().min(2).default(4).describe('Kakeya sets that the descriptive fields are routed to'),
  kakeyaVarianceRatio: z
    .number()
    .gt(0)
    .max(1)
    .default(0.99)
    .describe('share of the variance that a set keeps'),
  kakeyaK: z.int().min(2).default(16).describe('segment centers of a set'),
  kakeyaDRes: z.int().min(0).default(5).describe('residual entries of a record'),
  kakeyaMinEntries: z.int().min(2).default(8).describe('memories from which the sets are built'),
  kakeyaAlignmentTol: z.number().positive().default(1e-3).describe('largest alignment error of a set'),
  kakeyaReconstructionTol: z
    .number()
    .gt(0)
    .lt(1)
    .default(0.15)
    .describe('largest relative error of a record'),
  compressionMinDim: z
    .int()
    .min(64)
    .default(256)
    .describe('size from which a raw array on a memory is illegal'),

  treeK: z.int().min(2).default(8).describe('children of a split of a direction tree'),
  treeMaxLeaf: count.default(20).describe('memories that a leaf of a direction tree may hold'),
  retrievalTopk: count.default(8).describe('memories that a search gives'),
  retrievalBeam: count.default(5).describe('beam of a search in a direction tree'),

  nGeoPts: z.int().min(2).default(8).describe('interior points of a path'),
  geoMaxSteps: z.int().min(0).default(80).describe('steps of the geodesic solver'),
  geoTol: z
    .number()
    .positive()
    .default(1e-5)
    .describe('relative energy change that stops the geodesic solver'),
  geoLr: z.number().positive().default(0.02).describe('learning rate of the geodesic solver'),
  normCorrectionInterval: count.default(4).describe('segments between renormalisations of a carried fiber'),

  lMem: count.default(12).describe('slots of the fiber prefix'),
  prefixSlotsTime: count.default(2).describe('slots of the time bundle'),
  prefixSlotsTopic: count.default(6).describe('slots of the topic bundle'),
  prefixSlotsCtx: count.default(4).describe('slots of the context bundle'),
  strictShapeChecks: z.boolean().default(true).describe('check a memory when it is added'),
  tau: z.number().gt(0).lt(1).default(0.07).describe('temperature of the contrastive retrieval'),
  lossWeights: z
    .record(z.string(), z.number().min(0))
    .default({ ...lossWeights })
    .describe('weights of the losses by name; 1 where none is given'),

  timeFeatures: z
    .enum(['octave', 'reference'])
    .default('octave')
    .describe('frequencies of the clock: falling from 1 with logarithms beside them, or rising to 10000'),
  topicTriplet: z
    .enum(['fixed', 'reference'])
    .default('fixed')
    .describe('negatives of the topic loss: the least alike of the other rows, or the row itself'),
  prefixScaleInit: z
    .enum(['embedding', 'unit'])
    .default('embedding')
    .describe('length that a slot starts with: that of a token embedding, or 1'),
  kakeyaFields: z.boolean().default(false).describe('code the three descriptive fields at every write'),
  kakeyaRebuild: z
    .enum(['doubling', 'once'])
    .default('doubling')
    .describe('when the sets of the descriptive fields are built: whenever the memory has doubled, or once'),
  geometry: z
    .enum(['improved', 'parity'])
    .default('improved')
    .describe('arithmetic of connections, transport and geodesics, as the mode of the geometry package'),
  previousTurns: z
    .int()
    .min(0)
    .default(8)
    .describe('texts before a memory that its context encoder sees; the published program shows it none'),
  poolFirstToken: z
    .boolean()
    .default(false)
    .describe('count the first token, whose state is an outlier in most models, in the pooled state'),
  indexKind: z
    .enum(['flat', 'tree', 'cone', 'hnsw', 'auto'])
    .default('auto')
    .describe('index over directions'),
  treeScoring: z
    .enum(['cosine', 'accumulated'])
    .default('cosine')
    .describe('order of a direction tree: true cosines, or similarities summed along the path'),
});

export type MemoryConfig = z.output<typeof memoryConfigSchema>;
export type MemoryOptions = z.input<typeof memoryConfigSchema>;

/** Named sets of options. `reference` restores the published program's arithmetic. */
export const presets = {
  reference: {
    timeFeatures: 'reference',
    topicTriplet: 'reference',
    prefixScaleInit: 'unit',
    kakeyaFields: true,
    kakeyaRebuild: 'once',
    geometry: 'parity',
    previousTurns: 0,
    poolFirstToken: true,
    indexKind: 'tree',
    treeScoring: 'accumulated',
  },
} as const satisfies Record<string, MemoryOptions>;

/**
 * Fills in defaults and checks every rule.
 * @throws InputError naming the first option that is unknown, of the wrong type, out of range or at odds with another.
 */
export function memoryConfig(options: MemoryOptions = {}): MemoryConfig {
  const parsed = memoryConfigSchema.safeParse(options);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    const option = issue.code === 'unrecognized_keys' ? issue.keys.join(', ') : issue.path.join('.');
    throw new InputError(`The option '${option}' of a memory: ${issue.message}.`);
  }
  checkHeads(parsed.data);
  checkSlots(parsed.data);
  return Object.freeze(parsed.data);
}

function checkHeads(config: MemoryConfig): void {
  const pairs = [
    ['dFTime', 'nHeadsTime'],
    ['dFTopic', 'nHeadsTopic'],
    ['dFCtx', 'nHeadsCtx'],
  ] as const;
  for (const [fiber, heads] of pairs) {
    if (config[fiber] % config[heads] === 0) continue;
    throw new InputError(
      `The option '${fiber}' of a memory, ${config[fiber]}, must be a multiple of '${heads}', ${config[heads]}.`,
    );
  }
}

function checkSlots(config: MemoryConfig): void {
  const { lMem, prefixSlotsTime, prefixSlotsTopic, prefixSlotsCtx } = config;
  const sum = prefixSlotsTime + prefixSlotsTopic + prefixSlotsCtx;
  if (sum === lMem) return;
  throw new InputError(
    `The option 'lMem' of a memory, ${lMem}, must be the sum of prefixSlotsTime, prefixSlotsTopic and prefixSlotsCtx, ${sum}.`,
  );
}
