import { fiberConfigSchema } from '@palimpsest/fiber-geometry';
import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';

const count = z.int().min(1);

/** Weights of the five losses of the published trainer. */
export const lossWeights = {
  recon: 1,
  bundleAxisAlignment: 0.5,
  crossBundleIndependence: 0.2,
  prefixSemanticAnchor: 0.5,
  writePolicy: 0.1,
} as const;

/** What bundles, sets, trees and paths are made of: options of the geometry, with its defaults. */
const { shape: geometry } = fiberConfigSchema.pick({
  dLLM: true,
  dTime: true,
  dFTime: true,
  nHeadsTime: true,
  dTopic: true,
  dFTopic: true,
  nHeadsTopic: true,
  dCtx: true,
  dFCtx: true,
  nHeadsCtx: true,
  nKakeyaSets: true,
  kakeyaVarianceRatio: true,
  kakeyaK: true,
  kakeyaDRes: true,
  kakeyaMinEntries: true,
  kakeyaAlignmentTol: true,
  kakeyaReconstructionTol: true,
  compressionMinDim: true,
  treeK: true,
  treeMaxLeaf: true,
  retrievalTopk: true,
  retrievalBeam: true,
  nGeoPts: true,
  geoMaxSteps: true,
  geoTol: true,
  geoLr: true,
  normCorrectionInterval: true,
  strictShapeChecks: true,
  tau: true,
});

/**
 * Every option of an agent's memory. Widths and numbers of slots are the published program's; the options of the last
 * block choose between its arithmetic and ours, and their defaults are ours (DERIVATION.md, "Modes").
 */
export const memoryConfigSchema = z.strictObject({
  ...geometry,

  lMem: count.default(12).describe('slots of the fiber prefix'),
  prefixSlotsTime: count.default(2).describe('slots of the time bundle'),
  prefixSlotsTopic: count.default(6).describe('slots of the topic bundle'),
  prefixSlotsCtx: count.default(4).describe('slots of the context bundle'),
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
