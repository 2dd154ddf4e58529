import type { Preset, TrainingRecipe } from '@palimpsest/lm';

/** The reference's wiring. */
const reference = {
  memoryRead: 'running',
  memoryScope: 'shared',
  writeSource: 'postBlock',
  updateRule: 'gatedTanh',
  slotIdentity: false,
  useAttentionPooling: false,
  gateBiasInit: 0,
  recurrenceInit: 'normal',
  embeddingInitStd: 0.02,
  memoryInitStd: 0.02,
  useGlobalSync: true,
  syncMode: 'parity',
} as const;

/** A memory per block that is read as it was at the chunk start, and slots that stay apart. */
const causal = {
  ...reference,
  memoryRead: 'chunkStart',
  memoryScope: 'perLayer',
  slotIdentity: true,
  useAttentionPooling: true,
  gateBiasInit: -2,
  embeddingInitStd: 0.2,
  memoryInitStd: 1,
  useGlobalSync: false,
  syncMode: 'hidden',
} as const;

/**
 * What the four presets decide. `parity` is the reference's arithmetic with its flaws, `causal` repairs the leak of the
 * future between blocks, `parallel` moreover computes all chunks of a text at once; `legacy` is the first-generation model.
 */
export const presetOptions = {
  parity: reference,
  causal,
  parallel: { ...causal, writeSource: 'preRead', updateRule: 'linear' },
  legacy: {
    ...reference,
    embeddingInitStd: 1,
    useGlobalSync: false,
    numHeads: 1,
    numMemorySlots: 16,
    windowSize: 500,
    dropout: 0,
  },
} as const;

export type PresetName = keyof typeof presetOptions;

/** Options besides the vocabulary that differ from a wiring's, by name. */
type PresetOptions = { readonly preset: PresetName } & Readonly<Record<string, string | number | boolean>>;

/** A ready-made model with its training. */
export interface RsmPreset extends Preset {
  readonly options: PresetOptions;
}

const lanes = { reading: 'lanes', warmupSteps: 100, weightDecay: 0.1 } as const;
/** The optimiser of the reference's notebooks (DERIVATION.md, "Training in the reference"). */
const referenceRecipe = {
  reading: 'lanes',
  learningRate: 3e-4,
  schedule: 'constant',
  betas: [0.9, 0.999],
  weightDecay: 0.01,
  decayed: 'all',
  batchSize: 32,
} as const satisfies TrainingRecipe;

const shakespeareWindows = { seqLen: 2 * 32, batchSize: 16 } as const;
export const SHAKESPEARE_TOKENS_PER_STEP = shakespeareWindows.seqLen * shakespeareWindows.batchSize;

/** Ready-made models. `seqLen` is the number of tokens that gradients flow through: some whole chunks, one in the reference. */
export const rsmPresets: Readonly<Record<string, RsmPreset>> = {
  parallel: {
    description: 'causal, and all chunks of a text at once, their memories linked by a scan',
    options: { preset: 'parallel' },
    recipe: { ...lanes, seqLen: 8 * 256, batchSize: 4 },
  },
  causal: {
    description: 'a memory per block, read as it was at the chunk start, so that nothing sees the future',
    options: { preset: 'causal' },
    recipe: { ...lanes, seqLen: 4 * 256, batchSize: 8 },
  },
  parity: {
    description: 'the arithmetic and the optimiser of the published program, its leak included',
    options: { preset: 'parity' },
    recipe: { ...referenceRecipe, seqLen: 256 },
  },
  legacy: {
    description: 'the first published program, with one attention head',
    options: { preset: 'legacy' },
    recipe: { ...referenceRecipe, seqLen: 256 },
  },
  shakespeare: {
    description: 'characters of prose and plays (Tiny Shakespeare); the usual one',
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
      ...shakespeareWindows,
      steps: 6000,
      learningRate: 2.5e-3,
    },
  },
};
