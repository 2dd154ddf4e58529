import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { checkTogether } from './check-config.js';
import type { PolicyOptions } from './options.js';
import { scorerSize } from './scorer/layout.js';
import { withOwnNames } from './seed-names.js';

const count = z.int().min(1);
/** Layers of a readout. */
const depth = count.max(64).default(1);
const even = z.int().min(0).multipleOf(2, 'expected an even number');
const nonLinearities = ['relu', 'tanh', 'sigmoid', 'gelu', 'silu'] as const;
/** Activations of the scorers. */
export type NonLinearity = (typeof nonLinearities)[number];

const bam = z.strictObject({
  hiddenDim: count.default(32).describe('width d of queries, keys and values'),
  numHeads: count.default(1).describe('heads, which split the width'),
  bias: z.boolean().default(true).describe('biases of the projections'),
  useRope: z.boolean().default(false).describe('turn queries and keys by their original positions'),
  ropeTheta: z.number().positive().default(50_000).describe('base of those angles'),
  maskingStrategy: z
    .enum(['backward', 'forward'])
    .nullable()
    .default('backward')
    .describe('a token looks at itself and newer ones, at itself and older ones, or at all'),
  residual: z.boolean().default(true).describe('add what was read to the features'),
  mult: z.boolean().default(true).describe('multiply the features by what was read'),
  multNonlinearity: z.enum(nonLinearities).nullable().default(null).describe('of the factor; null: identity'),
  mlpDepth: depth.describe('layers of the readout; 1 is linear'),
  mlpHidden: count.nullable().default(null).describe('its hidden width, needed beyond depth 1'),
  mlpBias: z.boolean().default(true).describe('its biases'),
  mlpNonLinearity: z.enum(nonLinearities).default('relu').describe('its activation'),
  mlpResidual: z.boolean().default(true).describe('add the input of its middle layers'),
  mlpResidualFirst: z.boolean().default(false).describe('add the input of its first layer'),
  window: count.nullable().default(null).describe('newer tokens that a token looks at; null: all of them'),
});

const mlp = z.strictObject({
  depth: depth.describe('layers; 1 is linear'),
  hidden: count.nullable().default(null).describe('hidden width; null: that of the features'),
  bias: z.boolean().default(false).describe('biases'),
  nonLinearity: z.enum(nonLinearities).default('relu').describe('activation'),
  residual: z.boolean().default(true).describe('add the input of middle layers'),
  residualFirst: z.boolean().default(true).describe('add the input of the first layer'),
});

const normalise = z.strictObject({
  updateDuringTraining: z.boolean().default(false).describe('statistics learn while parameters are evolved'),
  updateDuringEval: z
    .boolean()
    .default(true)
    .describe('statistics learn in evaluations until they are frozen'),
  freezeAfter: z.int().min(0).default(1).describe('iterations of evolution after which they stay'),
  perLayer: z.boolean().default(false).describe('statistics of every layer instead of one pair for all'),
});

const shape = {
  mode: z
    .enum(['improved', 'parityOfficial', 'parityOpenNamm'])
    .default('improved')
    .describe('the method repaired, or the arithmetic of one of the two published programs'),
  updateInterval: count.default(512).describe('tokens between two updates'),
  maxTokensPerForward: count.nullable().default(128).describe('longest piece of a prompt; null: an interval'),
  nFft: even.min(2).default(32).describe('samples of attention under one window'),
  hopLength: count.default(16).describe('samples between two windows'),
  window: z
    .union([
      z.enum(['hann', 'average', 'rectangular']),
      z.strictObject({ ema: z.number().gt(0).lt(1) }),
      z.array(z.number()).min(1),
    ])
    .default('hann')
    .describe('weights of the samples: by name, decaying, or given'),
  outputMagnitudes: z.boolean().default(true).describe('|X| of every bin; false: real and imaginary part'),
  emaCoeff: z.number().gt(0).lt(1).default(0.99).describe('what one token leaves of the average over time'),
  normalise: z
    .union([z.literal(false), normalise])
    .prefault({})
    .describe('bins to mean 0 and deviation 1; false: as they are'),
  recencyEmbedDim: even.default(8).describe('width of the embedded age; 0: none'),
  recencyMaxFreq: z.number().gt(1).default(50_000).describe('longest period of the embedded age over 2π'),
  startRecencyFrom: z.int().min(0).default(0).describe('age of the newest token'),
  maxPositionId: count.default(32_768).describe('accepted for the published files; ages have no limit here'),
  scorer: z
    .enum(['bam', 'bamNoMult', 'mlp', 'linear'])
    .default('bam')
    .describe('what turns features into scores'),
  bam: bam.prefault({}).describe('backward attention memory'),
  mlp: mlp.prefault({}).describe('the scorer without attention'),
  scoreEmaCoeff: z.number().gt(0).lt(1).nullable().optional().describe('average of scores over time'),
  paramSharing: z.enum(['shared', 'perLayer', 'perHead']).default('shared').describe('who shares parameters'),
  selection: z
    .strictObject({
      kind: z.enum(['binary', 'dynamic', 'topk']).default('binary'),
      cacheSize: count.nullable().optional().describe('most tokens per head'),
    })
    .prefault({})
    .describe('what the scores decide: above zero, above a learned threshold, or the best'),
  thresholdShift: z.number().default(0).describe('added to the threshold'),
  eviction: z.enum(['ragged', 'parity']).optional().describe('every head its own number, or all the largest'),
  parameterisation: z.enum(['standard', 'folded']).default('standard').describe('layout of the parameters'),
  scales: z.array(even.min(2)).min(1).nullable().default(null).describe('window lengths side by side'),
  adaptive: z
    .strictObject({
      tailShare: z.number().positive().default(0.5).describe('update when so many new tokens per kept one'),
      least: count.optional().describe('fewest new tokens; default: 8 hops'),
    })
    .nullable()
    .default(null)
    .describe('updates when they pay, instead of after a fixed interval'),
  hierarchy: z
    .strictObject({ block: count.default(16).describe('neighbours that are judged together first') })
    .nullable()
    .default(null)
    .describe('blocks of tokens are scored before tokens'),
};

/** All options of a policy with their meaning and defaults. */
export const nammConfigSchema: z.ZodObject<typeof shape> = z.strictObject(shape);
type Parsed = z.output<typeof nammConfigSchema>;
/** Every option decided. */
export type NAMMConfig = Omit<Parsed, 'scoreEmaCoeff' | 'selection' | 'eviction' | 'adaptive'> & {
  readonly scoreEmaCoeff: number | null;
  readonly selection: { readonly kind: 'binary' | 'dynamic' | 'topk'; readonly cacheSize: number | null };
  readonly eviction: 'ragged' | 'parity';
  readonly adaptive: { readonly tailShare: number; readonly least: number } | null;
};
/** What a user gives: whatever shall differ from the defaults; `normalise: true` is its default. */
export type NAMMOptions = PolicyOptions & SeedOptions;

/** Names of the seed's own configuration, which are read in every mode but its parity. */
export interface SeedOptions {
  readonly strideSize?: number;
  readonly windowSize?: number;
  readonly gamma?: number;
  readonly dModel?: number;
  readonly nHead?: number;
  /** Dropout of the scorer would make eviction a matter of chance: read and left alone. */
  readonly dropout?: number;
}

/**
 * Fills in the defaults and checks every option. Nothing that is given is changed.
 * @param overrides win over `config`; their nested options are merged one by one
 * @throws InputError naming the option, what was expected and what was given.
 */
export function resolveNAMMConfig(config: NAMMOptions = {}, overrides: NAMMOptions = {}): NAMMConfig {
  const given = withOwnNames(merged(config, overrides));
  const parsed = nammConfigSchema.safeParse(given);
  if (!parsed.success) throw new InputError(describeIssue(parsed.error.issues[0]!, given));
  const resolved = decided(parsed.data);
  checkTogether(resolved, given);
  checkSize(resolved);
  return resolved;
}

/** Numbers of a scorer, or of the projections that it is folded from; the published one has 4,172. */
const MOST_PARAMETERS = 2 ** 24;

/** @throws InputError before memory is filled. */
function checkSize(config: NAMMConfig): void {
  const size = Math.max(scorerSize(config), scorerSize({ ...config, parameterisation: 'standard' }));
  if (size <= MOST_PARAMETERS) return;
  throw new InputError(
    `A policy has at most ${MOST_PARAMETERS} parameters, but these widths make ${size}; choose a smaller nFft, recencyEmbedDim, bam.hiddenDim or hidden layer.`,
  );
}

function merged(config: NAMMOptions, overrides: NAMMOptions): Record<string, unknown> {
  const present = (options: NAMMOptions) =>
    Object.entries(options).filter(([, value]) => value !== undefined);
  const result: Record<string, unknown> = Object.fromEntries(present(config));
  for (const [name, value] of present(overrides)) {
    const former = result[name];
    result[name] = isRecord(former) && isRecord(value) ? { ...former, ...value } : value;
  }
  if (result.normalise === true) delete result.normalise;
  return result;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Defaults that depend on other options. */
function decided(parsed: Parsed): NAMMConfig {
  const { mode, scorer, selection, hopLength, adaptive } = parsed;
  const isMlp = scorer === 'mlp' || scorer === 'linear';
  return {
    ...parsed,
    bam: scorer === 'bamNoMult' ? { ...parsed.bam, mult: false } : parsed.bam,
    mlp: scorer === 'linear' ? { ...parsed.mlp, depth: 1 } : parsed.mlp,
    scoreEmaCoeff: parsed.scoreEmaCoeff !== undefined ? parsed.scoreEmaCoeff : isMlp ? 0.99 : null,
    selection: {
      kind: selection.kind,
      cacheSize:
        selection.cacheSize !== undefined ? selection.cacheSize : selection.kind === 'topk' ? 8192 : null,
    },
    eviction: parsed.eviction ?? (mode === 'parityOfficial' ? 'parity' : 'ragged'),
    adaptive: adaptive && { ...adaptive, least: adaptive.least ?? 8 * hopLength },
  };
}

function describeIssue(issue: z.core.$ZodIssue, given: Record<string, unknown>): string {
  const where = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    const [first, ...rest] = issue.path;
    const place = first === undefined ? 'NAMM' : `'${[first, ...rest].join('.')}' of NAMM`;
    return `${place} has no option '${issue.keys[0]}'; the options are in NAMMOptions.`;
  }
  const value = given[String(issue.path[0] ?? '')];
  return `The NAMM option '${where}' is wrong: ${issue.message}; ${JSON.stringify(value)} was given.`;
}
