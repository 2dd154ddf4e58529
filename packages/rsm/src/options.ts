// Written by test/options.test.ts from the schema in config.ts: `vitest run --update` writes it anew.

/** What a user gives: the vocabulary size, and whatever shall differ from the defaults. */
export type RsmOptions = {
  /** Preset for the options below. @defaultValue `'parallel'` */
  preset?: 'parity' | 'causal' | 'parallel' | 'legacy' | undefined;
  /** Number of token ids. An integer, at least 1. */
  vocabSize: number;
  /** Model width d: even, and divisible by numHeads. An integer, at least 1. @defaultValue `128` */
  hiddenSize?: number | undefined;
  /** Blocks L. An integer, at least 1, at most 10000. @defaultValue `4` */
  numLayers?: number | undefined;
  /**
   * Heads of the self-attention; memory is read with one head.
   * An integer, at least 1.
   * @defaultValue `4`
   */
  numHeads?: number | undefined;
  /** Memory slots m. An integer, at least 1. @defaultValue `32` */
  numMemorySlots?: number | undefined;
  /**
   * Positions known are twice this; the parity generator sees the last windowSize - 1 tokens.
   * An integer, at least 2.
   * @defaultValue `256`
   */
  windowSize?: number | undefined;
  /**
   * Tokens C of a chunk, after which the memory is written; default: windowSize.
   * An integer, at least 1.
   */
  chunkSize?: number | undefined;
  /** Hidden width of the MLP of every block; default: 4 hiddenSize. An integer, at least 1. */
  mlpWidth?: number | undefined;
  /** Drop rate of all sites. A number, at least 0, below 1. @defaultValue `0.1` */
  dropout?: number | undefined;
  /**
   * Slots choose what they write, in place of the mean of the chunk.
   * Default of the preset 'parallel': `true`.
   */
  useAttentionPooling?: boolean | undefined;
  /**
   * Every syncCadence chunks the slots attend to the tokens; costs the parallel form its speed.
   * Default of the preset 'parallel': `false`.
   */
  useGlobalSync?: boolean | undefined;
  /**
   * Drop rate inside the sync; default: dropout, in the preset parity 0.1.
   * A number, at least 0, below 1.
   */
  globalSyncDropout?: number | undefined;
  /**
   * Sync on the embeddings after the loss, or differentiable on the last hidden states.
   * Default of the preset 'parallel': `"hidden"`.
   */
  syncMode?: 'parity' | 'hidden' | undefined;
  /**
   * Sync every block's memory with its own outputs, not the last one's only.
   * @defaultValue `false`
   */
  syncAllLayers?: boolean | undefined;
  /** Chunks K between two syncs. An integer, at least 1. @defaultValue `4` */
  syncCadence?: number | undefined;
  /**
   * Tokens of its chunk, itself included, that a token attends to; 0: all earlier ones.
   * An integer, at least 0.
   * @defaultValue `0`
   */
  slidingWindow?: number | undefined;
  /**
   * Blocks read what the block before wrote (leaks the future), or the memory at the chunk start.
   * Default of the preset 'parallel': `"chunkStart"`.
   */
  memoryRead?: 'running' | 'chunkStart' | undefined;
  /**
   * One memory for all blocks, one for each, or one for every layersPerMemory blocks.
   * Default of the preset 'parallel': `"perLayer"`.
   */
  memoryScope?: 'shared' | 'perLayer' | 'grouped' | undefined;
  /**
   * Blocks that share a memory when memoryScope is 'grouped'.
   * An integer, at least 1.
   * @defaultValue `2`
   */
  layersPerMemory?: number | undefined;
  /**
   * What is written: the block's output, or its self-attended input.
   * Default of the preset 'parallel': `"preRead"`.
   */
  writeSource?: 'postBlock' | 'preRead' | undefined;
  /**
   * Whether what is written depends on the memory that it replaces.
   * Default of the preset 'parallel': `"linear"`.
   */
  updateRule?: 'gatedTanh' | 'linear' | undefined;
  /**
   * A learned vector that keeps the slots of every block apart.
   * Default of the preset 'parallel': `true`.
   */
  slotIdentity?: boolean | undefined;
  /**
   * Start of the gate bias; -2 opens gates to 0.12.
   * A number.
   * Default of the preset 'parallel': `-2`.
   */
  gateBiasInit?: number | undefined;
  /**
   * Sinusoids added to the embeddings; rotary: queries and keys of the self-attention are turned by their place too.
   * @defaultValue `'sinusoidal'`
   */
  positions?: 'sinusoidal' | 'rotary' | undefined;
  /** Start of A: normal, or 0.9 times the identity. Default of the preset 'parallel': `"normal"`. */
  recurrenceInit?: 'normal' | 'decayIdentity' | undefined;
  /**
   * Standard deviation of the matrices of the blocks at the start.
   * A number, above 0.
   * @defaultValue `0.02`
   */
  weightInitStd?: number | undefined;
  /**
   * Start of what is read from the memory: as the other matrices, or nothing until training asks for it.
   * @defaultValue `'normal'`
   */
  readInit?: 'normal' | 'zero' | undefined;
  /**
   * Standard deviation of the token embedding at the start.
   * A number, above 0.
   * Default of the preset 'parallel': `0.2`.
   */
  embeddingInitStd?: number | undefined;
  /**
   * Gain of the last norm at the start; small, it keeps the first logits small under a large embedding.
   * A number, above 0.
   * @defaultValue `1`
   */
  outputGainInit?: number | undefined;
  /**
   * Standard deviation of the first memory at the start.
   * A number, above 0.
   * Default of the preset 'parallel': `1`.
   */
  memoryInitStd?: number | undefined;
  /**
   * Training chunks between two resets of the memory; 0: never.
   * An integer, at least 0.
   * @defaultValue `0`
   */
  resetMemoryEvery?: number | undefined;
};
