import { defineArchitecture, type Preset, type TrainingRecipe } from '@palimpsest/lm';
import { createRsmModel, type RsmOptions, rsmConfigSchema } from '@palimpsest/rsm';
import { InputError } from '@palimpsest/tensor-core';

type Options = Partial<RsmOptions>;

/** Ready-made models: what differs from RSM's own presets, and how they are trained. */
interface RsmPreset extends Preset {
  readonly options: Options;
}

const lanes = { reading: 'lanes', warmupSteps: 100, weightDecay: 0.1 } as const;
/** The optimiser of the reference's notebooks (rsm.md 7). */
const reference = {
  reading: 'lanes',
  learningRate: 3e-4,
  schedule: 'constant',
  betas: [0.9, 0.999],
  weightDecay: 0.01,
  decayed: 'all',
  batchSize: 32,
} as const satisfies TrainingRecipe;

/** `seqLen` is the number of tokens that gradients flow through: `tbpttChunks` x `chunkSize`. */
const presets: Readonly<Record<string, RsmPreset>> = {
  parallel: {
    description: 'all chunks of a window at once, memories linked by a scan',
    options: { preset: 'parallel' },
    recipe: { ...lanes, seqLen: 8 * 256, batchSize: 4 },
  },
  causal: {
    description: 'chunk after chunk, without a look ahead',
    options: { preset: 'causal' },
    recipe: { ...lanes, seqLen: 4 * 256, batchSize: 8 },
  },
  parity: {
    description: 'the arithmetic and the training of the published program',
    options: { preset: 'parity' },
    recipe: { ...reference, seqLen: 256 },
  },
  legacy: {
    description: 'the first published program, of one head',
    options: { preset: 'legacy' },
    recipe: { ...reference, seqLen: 256 },
  },
  shakespeare: {
    description: 'characters of Tiny Shakespeare',
    options: {
      preset: 'parallel',
      hiddenSize: 128,
      numLayers: 4,
      numHeads: 4,
      numMemorySlots: 16,
      windowSize: 32,
      chunkSize: 32,
      dropout: 0,
      // Each of these was worth 0.03 to 0.08 nats after 400 steps: attention that knows how far back a character stands,
      // matrices of 1 / sqrt(d), a memory that joins when training asks for it, small logits under a large embedding.
      positions: 'rotary',
      weightInitStd: 0.088,
      readInit: 'zero',
      embeddingInitStd: 0.4,
      outputGainInit: 0.25,
      // Gates that begin open carry the last characters over the border; text needs those more than what is long past.
      gateBiasInit: 1,
    },
    // Many small steps over many lanes: at equal tokens they learned more than few large ones.
    recipe: {
      ...lanes,
      reading: 'shifted-lanes',
      seqLen: 2 * 32,
      batchSize: 16,
      steps: 6000,
      learningRate: 2.5e-3,
    },
  },
};
const presetNames = Object.keys(presets);

/** Rolling state memory transformer. */
export const rsm = defineArchitecture({
  name: 'rsm',
  description: 'a rolling state memory transformer: chunks of text linked by a small matrix of slots',
  // How a text is cut into lanes and how far gradients flow are settings of the training around the model.
  options: rsmConfigSchema.omit({
    vocabSize: true,
    preset: true,
    tbpttChunks: true,
    laneBatching: true,
    overlapRatio: true,
    maxGradNorm: true,
    resetMemoryEvery: true,
  }),
  presets,
  parameterSets: {
    memory: {
      match: /^(memoryInit|slotIdentity)$|\.memory(Read|Write)\./,
      description: 'what reads and writes the slots, and their first values',
    },
  },
  create(vocabSize, options, preset = presetNames[0]!) {
    const chosen = Object.hasOwn(presets, preset) ? presets[preset] : undefined;
    if (!chosen) {
      throw new InputError(`RSM has no preset '${preset}'; the presets are ${presetNames.join(', ')}.`);
    }
    return createRsmModel({ ...chosen.options, ...options, vocabSize });
  },
  restore: (config) => createRsmModel(config as RsmOptions),
});
