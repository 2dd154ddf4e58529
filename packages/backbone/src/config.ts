import { type Decided, InputError } from '@palimpsest/base';
import { MOST_LAYERS } from '@palimpsest/lm';
import { z } from 'zod';
import type { TransformerOptions } from './options.js';

const count = () => z.int().min(1);
const layerList = () => z.array(z.int().min(0)).default([]);

/** Changes of the rotary frequencies that let a model read further than it was trained. */
export const rotaryScalingSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('linear'), factor: z.number().positive() }),
  z.strictObject({
    kind: z.literal('llama3'),
    factor: z.number().positive(),
    lowFrequencyFactor: z.number().positive(),
    highFrequencyFactor: z.number().positive(),
    originalContext: count(),
  }),
  z.strictObject({ kind: z.literal('ntk'), factor: z.number().positive(), alpha: z.number().positive() }),
  z.strictObject({ kind: z.literal('dynamic'), factor: z.number().positive(), originalContext: count() }),
  z.strictObject({
    kind: z.literal('yarn'),
    factor: z.number().positive(),
    originalContext: count(),
    fastRotations: z.number().positive().default(32),
    slowRotations: z.number().positive().default(1),
    wholeDimensions: z.boolean().default(true),
    magnitude: z.number().positive(),
  }),
  z.strictObject({
    kind: z.literal('longrope'),
    shortFactors: z.array(z.number().positive()),
    longFactors: z.array(z.number().positive()),
    originalContext: count(),
    magnitude: z.number().positive(),
  }),
  z.strictObject({ kind: z.literal('factors'), factors: z.array(z.number().positive()) }),
]);
export type RotaryScaling = z.output<typeof rotaryScalingSchema>;

const shape = {
  vocabSize: count().describe('number of token ids'),
  context: count()
    .default(64)
    .describe('positions the model is made for; learned positions have this many rows'),
  layers: count().max(MOST_LAYERS).default(4).describe('blocks'),
  heads: count().default(4).describe('query heads'),
  keyValueHeads: count()
    .optional()
    .describe('key/value heads, a divisor of heads; default: as many as heads'),
  modelWidth: count().default(128).describe('width of the residual stream'),
  headWidth: count().optional().describe('width of a head; default: modelWidth / heads'),
  mlpWidth: count().optional().describe('hidden width of the MLP; default: 4 widths, gated 8/3'),

  positions: z.enum(['learned', 'sinusoidal', 'rotary']).default('rotary').describe('how positions enter'),
  rotaryBase: z.number().positive().default(10000).describe('base θ of the rotary frequencies'),
  rotaryScaling: rotaryScalingSchema
    .nullable()
    .default(null)
    .describe('stretching of the rotary frequencies'),
  unrotatedLayers: layerList().describe('layers, counted from 0, that leave rotary positions out'),

  localLayers: layerList().describe('layers, counted from 0, that see the newest localWindow tokens only'),
  localWindow: count()
    .default(4096)
    .describe('newest tokens that a query of a local layer sees, its own included'),
  localRotaryBase: z
    .number()
    .positive()
    .nullable()
    .default(null)
    .describe('base θ of local layers, which nothing stretches then; null: as all others'),

  norm: z.enum(['layer', 'rms']).default('layer').describe('LayerNorm, or root-mean-square without a bias'),
  normEpsilon: z.number().positive().default(1e-5).describe('added to the variance'),
  activation: z
    .enum(['gelu', 'geluTanh', 'swiglu', 'geglu'])
    .default('gelu')
    .describe('exact gelu, its tanh form, or a gate with silu or with the tanh form'),
  queryKeyNorm: z.boolean().default(false).describe('root-mean-square norm of every query and key head'),
  sandwichNorms: z.boolean().default(false).describe('norms of what a branch adds, beside those before it'),
  embeddingScale: z.number().positive().default(1).describe('factor of token embeddings'),
  attentionScale: z.number().positive().optional().describe('factor of the scores; default: 1 / √headWidth'),
  queryKeyValueBias: z.boolean().default(false).describe('biases of the q, k and v projections'),
  outputBias: z.boolean().default(false).describe('bias of the attention output projection'),
  mlpBias: z.boolean().default(false).describe('biases of the MLP'),
  tiedHead: z.boolean().default(true).describe('the head is the embedding table'),

  window: z
    .int()
    .min(0)
    .default(0)
    .describe('newest tokens a query sees, its own included; 0: full attention'),
  sinks: z.int().min(0).default(0).describe('first tokens of the text that stay visible beside the window'),
  capacity: count().optional().describe('cache slots of full attention; default: context'),
  evictable: z.boolean().default(false).describe('every layer and key/value head keeps its own positions'),

  dropout: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .describe('drop rate of embeddings and of both residual branches'),
};

/** All options with their meaning and defaults. */
export const transformerConfigSchema = z.strictObject(shape);
export type { TransformerOptions };

type Parsed = z.output<typeof transformerConfigSchema>;
/** What a model's memory holds, which its weights leave open. */
export type CacheOptions = Pick<TransformerOptions, 'capacity' | 'window' | 'sinks' | 'evictable'>;
/** Every option decided. */
export type TransformerConfig = Decided<Parsed>;

/** Whether the MLP multiplies by a gate. */
export const isGated = ({ activation }: Pick<TransformerConfig, 'activation'>): boolean =>
  activation === 'swiglu' || activation === 'geglu';

const MLP_MULTIPLE = 8;

/**
 * Fills in the defaults and checks every option.
 * @throws InputError naming the option, what was expected and what was given.
 */
export function resolveConfig(options: TransformerOptions): TransformerConfig {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const parsed = transformerConfigSchema.safeParse(given);
  if (!parsed.success) throw new InputError(describeIssue(parsed.error.issues[0]!, given));
  const config = parsed.data;
  const { heads, modelWidth, keyValueHeads = heads } = config;
  if (config.headWidth === undefined && modelWidth % heads !== 0) {
    throw new InputError(
      `modelWidth ${modelWidth} cannot be split over ${heads} heads; choose a multiple of ${heads}, or give headWidth.`,
    );
  }
  const gated = Math.ceil((8 * modelWidth) / 3 / MLP_MULTIPLE) * MLP_MULTIPLE;
  const headWidth = config.headWidth ?? modelWidth / heads;
  const resolved: TransformerConfig = {
    ...config,
    keyValueHeads,
    headWidth,
    attentionScale: config.attentionScale ?? 1 / Math.sqrt(headWidth),
    mlpWidth: config.mlpWidth ?? (isGated(config) ? gated : 4 * modelWidth),
    capacity: config.window > 0 ? config.window : (config.capacity ?? config.context),
  };
  checkTogether(resolved, given);
  return resolved;
}

function describeIssue(issue: z.core.$ZodIssue, given: Record<string, unknown>): string {
  if (issue.code === 'unrecognized_keys' && issue.path.length === 0) {
    return `A transformer has no option '${issue.keys[0]}'; the options are ${Object.keys(shape).join(', ')}.`;
  }
  const name = String(issue.path[0] ?? 'vocabSize');
  return `The transformer option '${issue.path.join('.') || name}' is wrong: ${issue.message}; ${JSON.stringify(given[name])} was given.`;
}

function checkTogether(config: TransformerConfig, given: Record<string, unknown>): void {
  const { heads, keyValueHeads, headWidth, positions, window, sinks, capacity, context } = config;
  if (heads % keyValueHeads !== 0) {
    throw new InputError(
      `${heads} heads cannot share ${keyValueHeads} key/value heads; choose a divisor of ${heads}.`,
    );
  }
  if (positions === 'rotary' && headWidth % 2 !== 0) {
    throw new InputError(`Rotary positions need an even headWidth, but it is ${headWidth}.`);
  }
  if (positions === 'sinusoidal' && config.modelWidth % 2 !== 0) {
    throw new InputError(`Sinusoidal positions need an even modelWidth, but it is ${config.modelWidth}.`);
  }
  for (const key of ['localLayers', 'unrotatedLayers'] as const) {
    const beyond = config[key].find((layer) => layer >= config.layers);
    if (beyond !== undefined) {
      throw new InputError(`${key} names layer ${beyond}, but the layers are 0 to ${config.layers - 1}.`);
    }
  }
  checkFactors(config);
  if (positions !== 'rotary' && config.rotaryScaling !== null) {
    throw new InputError(`rotaryScaling needs positions 'rotary', but they are '${positions}'.`);
  }
  if (sinks > 0 && window === 0) {
    throw new InputError(`sinks ${sinks} needs a window: full attention keeps the first tokens anyway.`);
  }
  const wanted = given.capacity;
  if (window > 0 && wanted !== undefined && wanted !== window) {
    throw new InputError(
      `With a window of ${window} the capacity is ${window}, but capacity ${wanted} was given.`,
    );
  }
  if (positions === 'learned' && capacity > context) {
    throw new InputError(
      `Learned positions reach ${context} tokens, but ${capacity} shall be visible; raise context, or choose 'rotary'.`,
    );
  }
}

/** @throws InputError unless there is a factor for each pair of dimensions that is rotated together. */
function checkFactors({ rotaryScaling: scaling, headWidth }: TransformerConfig): void {
  const lists =
    scaling?.kind === 'longrope'
      ? [scaling.shortFactors, scaling.longFactors]
      : scaling?.kind === 'factors'
        ? [scaling.factors]
        : [];
  const wrong = lists.find(({ length }) => length !== headWidth / 2);
  if (!wrong) return;
  throw new InputError(
    `rotaryScaling '${scaling!.kind}' has ${wrong.length} factors, but heads of ${headWidth} need ${headWidth / 2}.`,
  );
}
