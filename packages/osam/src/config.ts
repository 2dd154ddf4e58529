import { MOST_LAYERS } from '@palimpsest/lm';
import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import type { OsamOptions } from './options.js';

const positive = (value: number) => z.int().min(1).default(value);
const raisedToOne = z
  .int()
  .transform((value) => Math.max(1, value))
  .default(1);

/** Ways to evaluate the feature path; they differ in rounding and speed only. */
export const featureForms = ['auto', 'sequential', 'fft', 'dft', 'bilinear', 'pairs'] as const;
export type FeatureFormName = (typeof featureForms)[number];

const shape = {
  vocabSize: z.int().min(1).describe('number of token ids'),
  dModel: positive(64).describe('model width d'),
  sketchDim: positive(2048).describe('sketch length m; any integer, also below d, also no power of two'),
  readoutHidden: positive(128).describe('hidden width of the feature read-out'),
  layers: z.int().min(1).max(MOST_LAYERS).default(1).describe('blocks, each with its own state'),
  mode: z.enum(['parity', 'improved']).default('improved').describe('preset for the options below'),

  gateCapFeat: z.number().positive().describe('largest weight of the feature read-out in the residual'),
  gateCapVal: z.number().positive().describe('largest weight of the value read in the residual'),
  enableValuePath: z.boolean().default(true).describe('read the value memory'),
  featurePath: z
    .boolean()
    .default(true)
    .describe('read the feature memory; false leaves the value path alone'),
  valueOnlyBlocks: z.array(z.int().min(0)).default([]).describe('blocks without a feature path, by number'),
  keepValueState: z.boolean().describe('keep the value memory up to date although it is never read'),
  dropout: z.number().min(0).lt(1).default(0).describe('drop rate in both read-out networks'),
  mlpDropout: z.number().min(0).lt(1).default(0).describe('drop rate of what the MLP adds'),
  freqCache: z.boolean().default(false).describe('carry the spectrum of the key sum in the state'),
  kUpdate: raisedToOne.describe('read the memory at every k-th position only; values below 1 mean 1'),
  skipMode: z
    .enum(['zero', 'hold'])
    .describe('what positions between two reads get: nothing, or the last read'),
  telemetryStride: raisedToOne.describe('collect telemetry at every n-th position; values below 1 mean 1'),
  telemetryRule: z.enum(['raw', 'computed']).describe('whether the stride counts positions or reads'),
  hashSeed: z.int().min(0).default(42).describe('seed of the hash tables'),
  distinctHashSeeds: z.boolean().describe('block l draws its tables from hashSeed + 2 l'),

  gradientFlow: z.enum(['detached', 'full']).describe('whether gradients reach what was written to memory'),
  featureHash: z.enum(['shared', 'independent']).describe('one table for queries and keys, or two'),
  valueKernel: z
    .enum(['sketched', 'exact'])
    .describe('value memory behind the sketch, or on the plain channels'),
  featureScale: z.enum(['reference', 'rms']).describe('features as they come, or divided by their RMS'),
  omegaMode: z
    .enum(['scalar', 'channel', 'none'])
    .describe('one rotation speed, one per channel, or no rotation by the position'),
  keyMix: z.boolean().describe('keys see a learned mixture of this input and the one before'),
  writeGate: z
    .boolean()
    .default(false)
    .describe('every head of the value memory writes a token by a learned share of its value'),
  decay: z
    .number()
    .positive()
    .max(1)
    .default(1)
    .describe('factor on the memory per token; 1 forgets nothing'),
  headDecays: z
    .array(z.number().positive().max(1))
    .default([])
    .describe('factor on the value memory per token for every head, in place of decay'),
  readScale: z
    .enum(['position', 'effective'])
    .default('position')
    .describe(
      'value reads are divided by the root of the position, or of what a forgetting head still holds',
    ),
  embeddingInitStd: z
    .number()
    .positive()
    .default(1)
    .describe('standard deviation of the embedding at the start'),
  gateInit: z.number().describe('raw value of both gates at the start'),

  norm: z
    .enum(['post', 'pre'])
    .default('post')
    .describe('LayerNorm after the residual sum, or before the block'),
  mlpRatio: z
    .number()
    .min(0)
    .default(0)
    .describe('hidden width of an MLP after every block, in units of d; 0: none'),
  mlpKind: z.enum(['swiglu', 'gelu']).default('swiglu').describe('kind of that MLP'),
  convWidth: z
    .int()
    .min(0)
    .default(0)
    .describe('causal depthwise convolution before the projections; 0: none'),
  heads: positive(1).describe('independent value memories of width d / heads each'),
  tieEmbeddings: z.boolean().default(false).describe('the head is the embedding table'),

  form: z.enum(featureForms).default('auto').describe('how the feature path is computed'),
  target: z
    .enum(['native', 'matmul'])
    .default('native')
    .describe("what the engine is good at, for form 'auto': everything, or matrix products alone (WebGPU)"),
  chunk: positive(64).describe('tokens per chunk of the parallel form'),
  priming: z.enum(['exact', 'reference']).describe('whether the last prompt token enters once or twice'),
  topPRule: z
    .enum(['nucleus', 'exclusive'])
    .describe('whether top-p keeps the token that crosses the threshold'),
};

/** All options with their meaning; those without a default here take it from `mode`. */
export const osamConfigSchema = z.strictObject(shape);
/** Every option decided. */
export type OsamConfig = z.output<typeof osamConfigSchema>;
export type { OsamOptions };

type ModeOptions = Partial<Omit<z.input<typeof osamConfigSchema>, 'vocabSize' | 'mode'>>;

/** What the two modes decide: the arithmetic of the published reference, and what measurements favour. */
export const modeOptions = {
  parity: {
    gateCapFeat: 0.25,
    gateCapVal: 0.25,
    gateInit: -2.5,
    keepValueState: true,
    skipMode: 'zero',
    telemetryRule: 'raw',
    distinctHashSeeds: false,
    gradientFlow: 'detached',
    featureHash: 'shared',
    valueKernel: 'sketched',
    featureScale: 'reference',
    omegaMode: 'scalar',
    keyMix: false,
    priming: 'reference',
    topPRule: 'exclusive',
  },
  improved: {
    gateCapFeat: 1,
    gateCapVal: 1,
    gateInit: 0,
    keepValueState: false,
    skipMode: 'hold',
    telemetryRule: 'computed',
    distinctHashSeeds: true,
    gradientFlow: 'full',
    featureHash: 'independent',
    valueKernel: 'exact',
    featureScale: 'rms',
    omegaMode: 'channel',
    keyMix: true,
    priming: 'exact',
    topPRule: 'nucleus',
  },
} as const satisfies Record<OsamConfig['mode'], ModeOptions>;

/**
 * Fills in the defaults of the chosen mode and checks every option.
 * @throws InputError naming the option, what was expected and what was given.
 */
export function resolveConfig(options: OsamOptions): OsamConfig {
  const mode = options.mode ?? 'improved';
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const parsed = osamConfigSchema.safeParse({ ...modeOptions[mode], ...given });
  if (!parsed.success) throw new InputError(describeIssue(parsed.error.issues[0]!, given));
  const config = parsed.data;
  checkTogether(config);
  return config;
}

function describeIssue(issue: z.core.$ZodIssue, given: Record<string, unknown>): string {
  if (issue.code === 'unrecognized_keys') {
    return `OSAM has no option '${issue.keys[0]}'; the options are ${Object.keys(shape).join(', ')}.`;
  }
  const name = String(issue.path[0] ?? 'mode');
  return `The OSAM option '${name}' is wrong: ${issue.message}; ${JSON.stringify(given[name])} was given.`;
}

function checkTogether(config: OsamConfig): void {
  const { dModel, heads, valueKernel, headDecays, form, featureScale, featurePath, valueOnlyBlocks } = config;
  if (dModel % heads !== 0) {
    throw new InputError(
      `dModel ${dModel} cannot be split over ${heads} heads; choose a divisor of ${dModel}.`,
    );
  }
  if (heads > 1 && valueKernel === 'sketched') {
    throw new InputError(
      "Several heads need valueKernel 'exact': the sketch mixes the channels of all heads.",
    );
  }
  if (headDecays.length > 0 && headDecays.length !== heads) {
    throw new InputError(
      `headDecays lists ${headDecays.length} factors for ${heads} heads; give one per head.`,
    );
  }
  if (form === 'bilinear' && featureScale === 'rms' && featurePath) {
    throw new InputError(
      "The form 'bilinear' never sees the features and cannot scale them by their RMS; use 'pairs' or 'dft'.",
    );
  }
  for (const block of valueOnlyBlocks) {
    if (block < config.layers) continue;
    throw new InputError(`valueOnlyBlocks names block ${block}, but there are ${config.layers} blocks.`);
  }
}

/** The options of one block of a stack: its own hash seed, and no feature path in value-only blocks. */
export function blockConfig(config: OsamConfig, block: number): OsamConfig {
  return {
    ...config,
    hashSeed: config.distinctHashSeeds ? config.hashSeed + 2 * block : config.hashSeed,
    featurePath: config.featurePath && !config.valueOnlyBlocks.includes(block),
  };
}
