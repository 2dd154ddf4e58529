import { InputError } from '@palimpsest/base';
import { defineArchitecture, stepsOfPasses } from '@palimpsest/lm';
import { resolveConfig, type TransformerOptions, transformerConfigSchema } from '../config.js';
import { loraSchema, splitLora } from '../lora/config.js';
import { createLoraTransformer } from '../lora/lora-transformer.js';
import { presets } from '../presets.js';
import { createTransformer } from '../transformer.js';

const presetNames = ['small', 'shakespeare', 'streaming'] as const;
type PresetName = (typeof presetNames)[number];

/** The small-GPT setting for characters: 2,000 steps over 12 windows of 64. */
const smallTraining = { steps: 2000, batchSize: 12, seqLen: 64, weightDecay: 0.1, warmupSteps: 100 };

/** A step takes 0.04 s on two cores. */
const MOST_STEPS = 6000;
const MOST_PASSES = 20;

/** Decoder-only transformer: the baseline of every comparison. */
export const transformerArchitecture = defineArchitecture({
  name: 'transformer',
  description:
    'a decoder-only transformer: full attention, a sliding window, or a window with attention sinks',
  // What only checkpoints made elsewhere are known to need is no flag.
  options: transformerConfigSchema.omit({
    vocabSize: true,
    rotaryScaling: true,
    unrotatedLayers: true,
    localLayers: true,
    localWindow: true,
    localRotaryBase: true,
    queryKeyNorm: true,
    sandwichNorms: true,
    embeddingScale: true,
    attentionScale: true,
  }),
  presets: {
    small: { description: 'a small GPT for characters; the usual one', recipe: smallTraining },
    shakespeare: {
      description: 'characters of Tiny Shakespeare',
      recipe: {
        steps: 1200,
        batchSize: 32,
        seqLen: 128,
        learningRate: 2e-3,
        weightDecay: 0.1,
        warmupSteps: 100,
      },
    },
    streaming: {
      description: 'a window with attention sinks, read as one long text',
      recipe: { ...smallTraining, reading: 'lanes' },
    },
  },
  usual: (characters) => ({
    preset: 'small',
    recipe: {
      steps: stepsOfPasses(
        characters,
        MOST_PASSES,
        smallTraining.batchSize * smallTraining.seqLen,
        MOST_STEPS,
      ),
      validateEvery: 500,
    },
  }),
  parameterSets: {
    embeddings: {
      match: /^(tokenEmbedding|positionEmbedding)$/,
      description: 'the embedding tables, and a head that is one of them,',
      flag: 'freezeEmbeddings',
    },
    blocks: {
      match: /^blocks\./,
      description: 'the blocks between embeddings and head',
      flag: 'freezeBlocks',
    },
  },
  lora: loraSchema,
  create(vocabSize, options, preset = presetNames[0]) {
    if (!presetNames.includes(preset as PresetName)) {
      throw new InputError(
        `A transformer has no preset '${preset}'; the presets are ${presetNames.join(', ')}.`,
      );
    }
    return createTransformer(presets[preset as PresetName]({ ...options, vocabSize }));
  },
  restore: (config) => {
    const { lora, rest } = splitLora(config);
    return lora
      ? createLoraTransformer(resolveConfig(rest as TransformerOptions), lora)
      : createTransformer(rest as TransformerOptions);
  },
});
