/** The reference's wiring and training. */
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
  tbpttChunks: 1,
  laneBatching: false,
  overlapRatio: 0.5,
} as const;

/** A memory per block that is read as it was at the chunk start, slots that stay apart, gradients through several chunks. */
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
  tbpttChunks: 4,
  laneBatching: true,
  overlapRatio: 0,
} as const;

/**
 * What the four presets decide. `parity` is the reference's arithmetic with its flaws, `causal` repairs the leak of the
 * future between blocks, `parallel` moreover computes all chunks of a text at once; `legacy` is the first-generation model.
 */
export const presetOptions = {
  parity: reference,
  causal,
  parallel: { ...causal, writeSource: 'preRead', updateRule: 'linear', tbpttChunks: 8 },
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
