import type { Preset } from '@palimpsest/lm';
import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { type OmOptions, omConfigSchema } from './config.js';

type Options = Omit<OmOptions, 'vocabSize'>;

/** Three lists as the published configuration has them: half, once and √2 times the usual temperature along the passes. */
const published: Options = {
  numLayers: 8,
  dimInput: 1024,
  dimHidden: 4096,
  dimsKey: [256, 128, 64],
  dimsValue: [256, 128, 64],
  numHeads: 8,
  activation: 'gelu',
  segmentLen: 512,
  stateLen: 64,
  scalingFactors: [1 / Math.sqrt(2 * 256), 1 / Math.sqrt(128), 1 / Math.sqrt(64 / 2)],
  attnProjRank: 64,
  initNgrams: [2, 3],
  dropout: 0.1,
  attnDropout: 0.1,
};

const parity: Partial<Options> = {
  copeVariant: 'reference',
  ropeVariant: 'reference',
  initVariant: 'reference',
  vocabPadMultiple: 0,
};

const small: Options = {
  numLayers: 4,
  dimInput: 128,
  dimHidden: 512,
  dimsKey: [32, 16],
  dimsValue: [32, 16],
  numHeads: 4,
  segmentLen: 64,
  stateLen: 16,
  initNgrams: [2, 3, 4],
};

const lanes = { reading: 'lanes', warmupSteps: 100, weightDecay: 0.1 } as const;
/** The published optimiser: gradients through every segment of a sample, first states in every sample. */
const publishedTraining = {
  optimizer: 'schedule-free-radam',
  schedule: 'constant',
  learningRate: 1e-3,
  betas: [0.9, 0.95],
  weightDecay: 0.1,
  decayed: 'all',
  reading: 'windows',
} satisfies Preset['recipe'];

interface OmPreset extends Preset {
  readonly options: Options;
}

const shakespeareWindows = { batchSize: 8, seqLen: 128 } as const;
export const SHAKESPEARE_TOKENS_PER_STEP = shakespeareWindows.batchSize * shakespeareWindows.seqLen;

/** Ready-made models with their training. */
export const presets: Readonly<Record<string, OmPreset>> = {
  small: {
    description: 'about a million parameters, for a laptop or a browser',
    options: small,
    recipe: { ...lanes, batchSize: 8, seqLen: 256, learningRate: 2e-3 },
  },
  medium: {
    description: 'about ten million parameters in three passes',
    options: {
      ...small,
      numLayers: 8,
      dimInput: 256,
      dimHidden: 1024,
      dimsKey: [64, 32, 16],
      dimsValue: [64, 32, 16],
      numHeads: 8,
      segmentLen: 128,
    },
    recipe: { ...lanes, batchSize: 8, seqLen: 512, learningRate: 1e-3 },
  },
  shakespeare: {
    description: 'bytes of prose and plays (Tiny Shakespeare), one pass; the usual one',
    options: { ...small, dimsKey: [32], dimsValue: [32], segmentLen: 32, stateLen: 8, stateUpdate: 'gated' },
    recipe: {
      ...lanes,
      reading: 'shifted-lanes',
      tokenizer: 'byte',
      ...shakespeareWindows,
      steps: 5000,
      learningRate: 4e-3,
      minimumRate: 0.05,
      validationRegime: 'streaming',
      validationLanes: 32,
      validationChunk: 256,
    },
  },
  published: {
    description: 'the published size, 298 million parameters, with every defect repaired',
    options: published,
    recipe: { ...publishedTraining, batchSize: 8, seqLen: 2048, accumulate: 2 },
  },
  parity: {
    description: 'the published model with its arithmetic and its initialisation',
    options: { ...published, ...parity },
    recipe: { ...publishedTraining, batchSize: 8, seqLen: 2048, accumulate: 2 },
  },
};

/** @throws InputError for a preset that does not exist. */
export function presetOptions(name: string = Object.keys(presets)[0]!): Options {
  const preset = Object.hasOwn(presets, name) ? presets[name] : undefined;
  if (preset) return preset.options;
  throw new InputError(`Om has no preset '${name}'; the presets are ${Object.keys(presets).join(', ')}.`);
}

/** Options that flags cannot give as they are, and the vocabulary, which the tokenizer decides. */
const OTHERWISE = new Set(['vocabSize', 'rope', 'scalingFactors', 'attnNormalize']);

/** The option without its default, which is the preset's to decide. */
function asFlag(type: z.ZodType): z.ZodType {
  const inner = type instanceof z.ZodDefault ? (type.unwrap() as z.ZodType) : type;
  return inner.optional().describe(type.description!);
}

const plain = Object.entries(omConfigSchema.shape).filter(([name]) => !OTHERWISE.has(name));

/** The options as flags can give them: lists of numbers, names, numbers and switches. */
export const flagSchema: z.ZodObject = z.strictObject({
  ...Object.fromEntries(plain.map(([name, type]) => [name, asFlag(type)])),
  rotary: z.boolean().optional().describe('rotary positions in every pass that can have them'),
  ropePct: z.number().positive().max(1).optional().describe('share of a key that is rotated'),
  ropeBase: z.number().positive().optional().describe('base of the rotary frequencies'),
  scalingFactors: z
    .array(z.number().min(0))
    .optional()
    .describe('factor on query times key of every pass; 0: 1 / sqrt(key width)'),
  attnNormalize: z
    .enum(['none', 'input', 'qkv'])
    .optional()
    .describe('readme edition: layer norm on the input of every pass, or on queries, keys and values'),
});

/** What `flagSchema` gives. */
export type OmFlags = Partial<Omit<OmOptions, 'vocabSize' | 'rope' | 'scalingFactors' | 'attnNormalize'>> & {
  readonly rotary?: boolean;
  readonly ropePct?: number;
  readonly ropeBase?: number;
  readonly scalingFactors?: readonly number[];
  readonly attnNormalize?: 'none' | 'input' | 'qkv';
};

/** A preset with flags over it, as the options of a model. */
export function optionsFromFlags(vocabSize: number, flags: OmFlags, preset?: string): OmOptions {
  const { rotary, ropePct, ropeBase, scalingFactors, attnNormalize, ...rest } = flags;
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  const options: OmOptions = { ...presetOptions(preset), ...given, vocabSize };
  const changesPasses = ['dimsKey', 'dimsValue', 'numIters'].some((name) => name in given);
  if (changesPasses) {
    delete options.rope;
    delete options.scalingFactors;
  }
  if (scalingFactors) options.scalingFactors = scalingFactors.map((factor) => (factor === 0 ? null : factor));
  if (attnNormalize) options.attnNormalize = attnNormalize === 'none' ? false : attnNormalize;
  if (rotary === false || ropePct !== undefined || ropeBase !== undefined) {
    options.rope = options.dimsKey.map((dim) =>
      rotary === false
        ? null
        : {
            dim,
            pct: ropePct,
            base: ropeBase,
          },
    );
  }
  return options;
}
