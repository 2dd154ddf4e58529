import { type Decided, InputError } from '@palimpsest/base';
import { MOST_LAYERS } from '@palimpsest/lm';
import { z } from 'zod';
import type { OmOptions } from './options.js';

/** Activations of the MLP; those from `swiglu` on are gated. */
export const activations = [
  'relu',
  'gelu',
  'swish',
  'abs',
  'swiglu',
  'geglu',
  'ffnglu',
  'ffngeglu',
  'ffnswiglu',
] as const;
export type Activation = (typeof activations)[number];

const count = z.int().min(1);
const rate = z.number().min(0).lt(1).default(0);

/** One rotary position embedder. */
const ropeSchema = z.strictObject({
  dim: count.describe('width that it is made for: the key width of the pass'),
  pct: z.number().positive().max(1).default(0.5).describe('share of the width that is rotated'),
  base: z.number().positive().default(10000).describe('base of the frequencies'),
});
/** A rotary position embedder: width, rotated share, base of the frequencies. */
export type RopeOptions = z.input<typeof ropeSchema>;

const shape = {
  vocabSize: count.describe('number of token ids V, before padding'),
  numLayers: count.max(MOST_LAYERS).describe('layers L'),
  dimInput: count.describe('model width d'),
  dimHidden: count.describe('hidden width of the MLP'),
  dimsKey: z.array(count).min(1).describe('key width of every pass'),
  dimsValue: z.array(count).min(1).describe('value width of every pass'),
  numIters: z.array(count).optional().describe('1: ordinary pass; more: Hopfield pass of so many iterations'),
  numHeads: count.describe('attention heads H'),
  activation: z.enum(activations).default('gelu').describe('activation of the MLP'),
  segmentLen: count.describe('tokens of a segment N'),
  stateLen: count.describe('state vectors of a layer S'),

  cope: z.boolean().default(false).describe('contextual position bias in every pass'),
  copeVariant: z
    .enum(['reference', 'causal'])
    .default('causal')
    .describe('gates summed over all later rows (sees the future), or up to the query only'),
  rope: z
    .array(ropeSchema.nullable())
    .optional()
    .describe('rotary position embedder of every pass, or null; default: half of the key width'),
  ropeVariant: z
    .enum(['reference', 'standard', 'rotateHalf'])
    .optional()
    .describe('frequencies without the division by the width, with it, or those of the readme edition'),
  scalingFactors: z
    .array(z.number().nullable())
    .optional()
    .describe('factor on query times key of every pass; null: 1 / sqrt(key width)'),
  diffAttn: z.boolean().default(false).describe('differential attention in every pass'),
  attnProjRank: z.int().default(-1).describe('width of a head before the output projection; -1: d / H'),
  stackedAttn: z
    .boolean()
    .optional()
    .describe(
      'which of the two implementations of the reference; they differ in differential and Hopfield passes',
    ),

  initNgrams: z.array(count).default([]).describe('sizes of the low-rank n-gram layers'),
  mlp1221: z.boolean().default(false).describe('three layers of half the hidden width in the MLP'),
  dropout: rate.describe('drop rate of the MLP output'),
  attnDropout: rate.describe('drop rate of the attention block'),
  attnLogitDropout: rate.describe('drop rate of the attention probabilities'),
  tbpttSegments: z
    .int()
    .min(0)
    .default(0)
    .describe('segments through which gradients flow in training; 0: all of a call'),
  recompute: z
    .boolean()
    .default(false)
    .describe('compute the inside of each step of the wavefront again for the gradient: memory for time'),
  stateUpdate: z
    .enum(['replace', 'residual', 'gated'])
    .default('replace')
    .describe('what a segment leaves: the new state, the old one plus it, or a gated mixture'),
  stateGateBias: z
    .number()
    .default(2)
    .describe(
      'gated states: fixed bias of the gate; its sigmoid is the share that a segment keeps at the start',
    ),

  vocabPadMultiple: z
    .int()
    .min(0)
    .default(8)
    .describe('the vocabulary is padded to a multiple of this; 0: the rule of the reference'),
  vocabOffset: z.int().min(0).optional().describe('number of padded ids, in place of the rule'),
  padId: z.int().min(0).optional().describe('id that stands before a text; default: the last one'),
  initVariant: z
    .enum(['reference', 'fanIn'])
    .default('fanIn')
    .describe('standard deviations by the outputs of a map, as published, or by its inputs'),

  edition: z.enum(['head', 'readme']).default('head').describe('newest revision, or that of the readme'),
  attnNormalize: z
    .union([z.boolean(), z.enum(['input', 'qkv'])])
    .default(false)
    .describe('readme edition: layer norm on the input of every pass, or on queries, keys and values'),
  finalMlpMultiplier: count.default(1).describe('readme edition: factor on the width of the last MLP'),
  initConvs: z.array(count).default([]).describe('readme edition: sizes of the convolutions over embeddings'),
  stateProjections: z
    .enum(['shared', 'readWrite'])
    .optional()
    .describe('whether the read and the written copy of a state share their projections'),
};

/** All options with their meaning; what the published model does instead of a default: DERIVATION.md, "Defects". */
export const omConfigSchema = z.strictObject(shape);
export type { OmOptions };

/** Every option decided. */
export type OmConfig = Decided<
  Omit<z.output<typeof omConfigSchema>, 'attnNormalize' | 'rope' | 'scalingFactors'>
> & {
  readonly attnNormalize: false | 'input' | 'qkv';
  readonly rope: (Decided<RopeOptions> | null)[];
  readonly scalingFactors: (number | null)[];
};

const fail = (sentence: string): never => {
  throw new InputError(sentence);
};

/**
 * Fills in the defaults and checks every option.
 * @throws InputError naming the option, what was expected and what was given.
 */
export function resolveConfig(options: OmOptions): OmConfig {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const result = omConfigSchema.safeParse(given);
  if (!result.success) throw new InputError(describeIssue(result.error.issues[0]!, given));
  const parsed = result.data;
  const isReadme = parsed.edition === 'readme';
  const passes = parsed.dimsKey.length;
  const config: OmConfig = {
    ...parsed,
    attnNormalize: parsed.attnNormalize === true ? 'input' : parsed.attnNormalize,
    numIters: parsed.numIters ?? new Array<number>(passes).fill(1),
    scalingFactors: parsed.scalingFactors ?? new Array<null>(passes).fill(null),
    rope: parsed.rope ?? defaultRope(parsed.dimsKey, parsed.numIters, isReadme),
    ropeVariant: parsed.ropeVariant ?? (isReadme ? 'rotateHalf' : 'standard'),
    stackedAttn: parsed.stackedAttn ?? !isReadme,
    stateProjections: parsed.stateProjections ?? (isReadme ? 'readWrite' : 'shared'),
    attnProjRank:
      parsed.attnProjRank === -1 ? Math.floor(parsed.dimInput / parsed.numHeads) : parsed.attnProjRank,
    initNgrams: [...parsed.initNgrams].sort((a, b) => a - b),
    vocabOffset: parsed.vocabOffset ?? paddingOf(parsed),
    padId: parsed.padId ?? parsed.vocabSize - 1,
  };
  checkTogether(config);
  return config;
}

function describeIssue(issue: z.core.$ZodIssue, given: Record<string, unknown>): string {
  if (issue.code === 'unrecognized_keys') {
    return `Om has no option '${issue.keys[0]}'; the options are ${Object.keys(shape).join(', ')}.`;
  }
  const [name, ...rest] = issue.path.map(String);
  const where = [name ?? 'options', ...rest].join('.');
  return `The Om option '${where}' is wrong: ${issue.message}; ${JSON.stringify(given[name ?? ''])} was given.`;
}

/** A rotary embedder for every pass that can have one: half of the width, or all of it where half is odd. */
function defaultRope(
  dimsKey: readonly number[],
  numIters: readonly number[] | undefined,
  isReadme: boolean,
): (Decided<RopeOptions> | null)[] {
  return dimsKey.map((dim, pass) => {
    if ((numIters?.[pass] ?? 1) > 1 || dim % 2 !== 0) return null;
    return { dim, pct: isReadme || dim % 4 !== 0 ? 1 : 0.5, base: 10000 };
  });
}

function paddingOf({
  vocabSize,
  dimInput,
  vocabPadMultiple,
}: Pick<OmConfig, 'vocabSize' | 'dimInput' | 'vocabPadMultiple'>): number {
  if (vocabPadMultiple === 0) return (32 - (dimInput % 32)) % 32;
  return Math.ceil(vocabSize / vocabPadMultiple) * vocabPadMultiple - vocabSize;
}

function checkTogether(config: OmConfig): void {
  const { dimsKey, dimsValue, numIters, scalingFactors, rope, edition } = config;
  const lists = { dimsValue, numIters, scalingFactors, rope };
  for (const [name, list] of Object.entries(lists)) {
    if (list.length !== dimsKey.length) {
      fail(
        `Every pass has one entry in '${name}': ${dimsKey.length} (as dimsKey has) were expected, ${list.length} given.`,
      );
    }
  }
  if (config.attnProjRank < 1) {
    fail(`attnProjRank is -1 (d / H) or at least 1, but ${config.attnProjRank} was given.`);
  }
  if (config.diffAttn && numIters.some((iterations) => iterations > 1)) {
    fail(`Differential attention has no Hopfield passes; set every entry of numIters to 1.`);
  }
  if (config.mlp1221 && config.activation.startsWith('ffn')) {
    fail(`The activation '${config.activation}' has no 1-2-2-1 form; turn mlp1221 off.`);
  }
  if (config.mlp1221 && config.dimHidden < 2) fail('A 1-2-2-1 MLP needs a dimHidden of at least 2.');
  if (config.padId >= config.vocabSize) {
    fail(`padId ${config.padId} is outside the vocabulary of ${config.vocabSize}.`);
  }
  for (const size of config.initNgrams) {
    if (size > config.dimInput)
      fail(`An n-gram of ${size} has no rank left at a dimInput of ${config.dimInput}.`);
  }
  if (edition === 'head') checkHead(config);
  else checkReadme(config);
  rope.forEach((options, pass) => {
    if (options) checkRope(config, options, pass);
  });
}

function checkHead(config: OmConfig): void {
  const { attnNormalize, finalMlpMultiplier, initConvs, stateProjections } = config;
  const readmeOnly = {
    attnNormalize,
    finalMlpMultiplier: finalMlpMultiplier !== 1,
    initConvs: initConvs.length > 0,
  };
  for (const [name, isSet] of Object.entries(readmeOnly)) {
    if (isSet)
      fail(`The option '${name}' belongs to the readme edition; set edition to 'readme' or leave it out.`);
  }
  if (stateProjections === 'readWrite') {
    fail(
      "Separate projections of the read and the written state belong to the readme edition; set edition to 'readme'.",
    );
  }
  if (config.ropeVariant === 'rotateHalf') {
    fail(
      "The ropeVariant 'rotateHalf' belongs to the readme edition; set edition to 'readme', or choose 'standard'.",
    );
  }
}

function checkReadme(config: OmConfig): void {
  if (config.stackedAttn) fail('The readme edition has no stacked implementation; leave stackedAttn out.');
  if (config.initNgrams.length > 0) {
    fail('The readme edition has convolutions (initConvs) in place of the low-rank n-grams (initNgrams).');
  }
  if (config.finalMlpMultiplier !== 1 && config.activation.startsWith('ffn')) {
    fail(`The activation '${config.activation}' cannot be widened by finalMlpMultiplier; leave it at 1.`);
  }
}

function checkRope(config: OmConfig, { dim, pct }: Decided<RopeOptions>, pass: number): void {
  const { dimsKey, dimsValue, numIters, ropeVariant, edition } = config;
  const isHopfield = numIters[pass]! > 1;
  if (isHopfield && edition === 'head') return;
  const width = isHopfield ? dimsValue[pass]! : dimsKey[pass]!;
  if (dim !== width) {
    fail(
      `The rotary embedder of pass ${pass} is made for a width of ${dim}, but the keys there are ${width} wide.`,
    );
  }
  const turned = ropeVariant === 'rotateHalf' ? dim : Math.ceil(dim * pct);
  if (turned % 2 !== 0) {
    fail(
      `Rotary embedding turns pairs, but ${turned} of the ${dim} components of pass ${pass} would be turned; choose another pct, or null for this pass.`,
    );
  }
}
