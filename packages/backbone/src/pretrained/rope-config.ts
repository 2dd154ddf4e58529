import { InputError } from '@palimpsest/base';
import type { JsonObject } from '@palimpsest/lm';
import { z } from 'zod';
import type { RotaryScaling, TransformerOptions } from '../config.js';
import { count, parseConfig } from './config-schema.js';
import { isObject } from './json-file.js';

const positive = z.number().positive();
const factors = z.array(positive).optional();

const ropeSchema = z.object({
  rope_type: z.string().optional(),
  type: z.string().optional(),
  rope_theta: positive.nullish(),
  partial_rotary_factor: z.literal(1).nullish(),
  factor: positive.nullish(),
  low_freq_factor: positive.optional(),
  high_freq_factor: positive.optional(),
  original_max_position_embeddings: count.optional(),
  attention_factor: positive.nullish(),
  beta_fast: positive.nullish(),
  beta_slow: positive.nullish(),
  mscale: z.number().nullish(),
  mscale_all_dim: z.number().nullish(),
  truncate: z.boolean().default(true),
  short_factor: factors,
  long_factor: factors,
});
type Rope = z.output<typeof ropeSchema>;

const outerSchema = z.object({
  rope_theta: positive.nullish(),
  rope_local_base_freq: positive.nullish(),
  original_max_position_embeddings: count.nullish(),
  rope_scaling: ropeSchema.nullish(),
});
const sameSchema = z.object({ rope_parameters: ropeSchema.nullish() });
const byKindSchema = z.object({
  rope_parameters: z.object({ full_attention: ropeSchema, sliding_attention: ropeSchema.nullish() }),
});

/** `rope_parameters` of global and of local layers; one object may be meant for both. */
function parametersOf(
  json: JsonObject,
  source: string,
): { readonly all: Rope | null | undefined; readonly local?: Rope | null | undefined; readonly key: string } {
  const given = json.rope_parameters;
  const isByKind =
    isObject(given) && (given.full_attention !== undefined || given.sliding_attention !== undefined);
  if (!isByKind)
    return { all: parseConfig(sameSchema, json, source).rope_parameters, key: 'rope_parameters' };
  const { rope_parameters: kinds } = parseConfig(byKindSchema, json, source);
  return {
    all: kinds.full_attention,
    local: kinds.sliding_attention,
    key: 'rope_parameters.full_attention',
  };
}

/** Bases that a file leaves out because they are usual in its family. */
export interface UsualBases {
  readonly rotaryBase: number;
  readonly localRotaryBase?: number;
}

const types = ['default', 'linear', 'dynamic', 'llama3', 'yarn', 'longrope'];

/** What a scaling is computed from beside its own settings. */
interface Surroundings {
  /** `max_position_embeddings` */
  readonly context: number;
  /** Positions that the model was first trained for, where they stand outside of the scaling. */
  readonly original: number | undefined;
  readonly headWidth: number;
  /** Path of the settings, for messages. */
  readonly key: string;
  readonly source: string;
}

/**
 * The rotary settings of a config.json: `rope_theta` and `rope_scaling`, or `rope_parameters`, which newer files have in
 * their place, for all layers or for each kind of them.
 * @throws InputError naming the key that is missing or not supported.
 */
export function ropeOf(
  json: JsonObject,
  headWidth: number,
  context: number,
  usual: UsualBases,
  source: string,
): Pick<TransformerOptions, 'rotaryBase' | 'rotaryScaling' | 'localRotaryBase'> {
  const outer = parseConfig(outerSchema, json, source);
  const { all, local, key: newKey } = parametersOf(json, source);
  const isOld = isObject(json.rope_scaling) && Object.keys(json.rope_scaling).length > 0;
  const scaling = isOld ? outer.rope_scaling : all;
  const key = isOld ? 'rope_scaling' : newKey;
  if (local && typeOf(local) !== 'default') {
    throw new InputError(
      `${source}: the key 'rope_parameters.sliding_attention' has the type '${typeOf(local)}'; of local layers only 'default' is supported.`,
    );
  }
  // As transformers does it: what stands inside of the settings counts before what stands beside them.
  const rotaryBase = scaling?.rope_theta ?? outer.rope_theta ?? usual.rotaryBase;
  const localBase = local?.rope_theta ?? outer.rope_local_base_freq ?? usual.localRotaryBase;
  const original = outer.original_max_position_embeddings ?? undefined;
  return {
    rotaryBase,
    rotaryScaling: scaling ? scalingOf(scaling, { context, original, headWidth, key, source }) : null,
    localRotaryBase: localBase,
  };
}

const typeOf = ({ rope_type, type }: Rope) => {
  const name = rope_type ?? type ?? 'default';
  // The name that LongRoPE had at first.
  return name === 'su' ? 'longrope' : name;
};

function scalingOf(raw: Rope, around: Surroundings): RotaryScaling | null {
  const { key, source, context } = around;
  const type = typeOf(raw);
  const need = <K extends keyof Rope>(name: K): NonNullable<Rope[K]> => {
    const value = raw[name];
    if (value !== undefined && value !== null) return value as NonNullable<Rope[K]>;
    throw new InputError(`${source}: the key '${key}.${name}' is missing for the type '${type}'.`);
  };
  switch (type) {
    case 'default':
      // A stretching whose name was lost would be left out in silence.
      if (raw.rope_type !== undefined || raw.type !== undefined || !raw.factor || raw.factor === 1)
        return null;
      throw new InputError(
        `${source}: the key '${key}' has the factor ${raw.factor}, but no 'rope_type' that says how it stretches.`,
      );
    case 'linear':
      return { kind: 'linear', factor: need('factor') };
    case 'dynamic':
      return { kind: 'dynamic', factor: need('factor'), originalContext: context };
    case 'llama3':
      return {
        kind: 'llama3',
        factor: need('factor'),
        lowFrequencyFactor: need('low_freq_factor'),
        highFrequencyFactor: need('high_freq_factor'),
        originalContext: originalOf(raw, around),
      };
    case 'yarn':
      return yarn(raw, around);
    case 'longrope':
      return longrope(raw, around, need('short_factor'), need('long_factor'));
    default:
      throw new InputError(
        `${source}: the key '${key}' has the type '${type}', which is not supported; supported are ${types.join(', ')}.`,
      );
  }
}

const originalOf = (raw: Rope, { original, context }: Surroundings) =>
  original ?? raw.original_max_position_embeddings ?? context;

function yarn(raw: Rope, around: Surroundings): RotaryScaling {
  const originalContext = originalOf(raw, around);
  const factor = raw.factor ?? around.context / originalContext;
  return {
    kind: 'yarn',
    factor,
    originalContext,
    fastRotations: raw.beta_fast ?? 32,
    slowRotations: raw.beta_slow ?? 1,
    wholeDimensions: raw.truncate,
    magnitude: raw.attention_factor ?? yarnMagnitude(factor, raw.mscale, raw.mscale_all_dim),
  };
}

/** How much larger attention is made for a text that is stretched (Peng et al. 2023, section 3.4): 0.1 ln s + 1. */
export function yarnMagnitude(factor: number, scale?: number | null, allScale?: number | null): number {
  const grown = (share: number) => (factor > 1 ? 0.1 * share * Math.log(factor) + 1 : 1);
  return scale && allScale ? grown(scale) / grown(allScale) : grown(1);
}

function longrope(
  raw: Rope,
  around: Surroundings,
  shortFactors: number[],
  longFactors: number[],
): RotaryScaling {
  const originalContext = originalOf(raw, around);
  for (const [name, list] of [
    ['short_factor', shortFactors],
    ['long_factor', longFactors],
  ] as const) {
    if (list.length === around.headWidth / 2) continue;
    throw new InputError(
      `${around.source}: the key '${around.key}.${name}' has ${list.length} entries, but heads of ${around.headWidth} need ${around.headWidth / 2}.`,
    );
  }
  const factor = raw.factor ?? around.context / originalContext;
  return {
    kind: 'longrope',
    shortFactors,
    longFactors,
    originalContext,
    magnitude: raw.attention_factor ?? longropeMagnitude(factor, originalContext),
  };
}

/** The same for LongRoPE (Ding et al. 2024): √(1 + ln s / ln L). */
export const longropeMagnitude = (factor: number, originalContext: number): number =>
  factor > 1 ? Math.sqrt(1 + Math.log(factor) / Math.log(originalContext)) : 1;
