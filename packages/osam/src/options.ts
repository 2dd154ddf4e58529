// Written by test/options.test.ts from the schema in config.ts: `vitest run --update` writes it anew.

/** What a user gives: the vocabulary size, and whatever shall differ from the defaults. */
export type OsamOptions = {
  /** Number of token ids. An integer, at least 1. */
  vocabSize: number;
  /** Model width d. An integer, at least 1. @defaultValue `64` */
  dModel?: number | undefined;
  /**
   * Sketch length m; any integer, also below d, also no power of two.
   * An integer, at least 1.
   * @defaultValue `2048`
   */
  sketchDim?: number | undefined;
  /** Hidden width of the feature read-out. An integer, at least 1. @defaultValue `128` */
  readoutHidden?: number | undefined;
  /** Blocks, each with its own state. An integer, at least 1, at most 10000. @defaultValue `1` */
  layers?: number | undefined;
  /** Preset for the options below. @defaultValue `'improved'` */
  mode?: 'parity' | 'improved' | undefined;
  /**
   * Largest weight of the feature read-out in the residual.
   * A number, above 0.
   * Default: `1`, in the mode 'parity' `0.25`.
   */
  gateCapFeat?: number | undefined;
  /**
   * Largest weight of the value read in the residual.
   * A number, above 0.
   * Default: `1`, in the mode 'parity' `0.25`.
   */
  gateCapVal?: number | undefined;
  /** Read the value memory. @defaultValue `true` */
  enableValuePath?: boolean | undefined;
  /** Read the feature memory; false leaves the value path alone. @defaultValue `true` */
  featurePath?: boolean | undefined;
  /** Blocks without a feature path, by number. @defaultValue `[]` */
  valueOnlyBlocks?: number[] | undefined;
  /**
   * Keep the value memory up to date although it is never read.
   * Default: `false`, in the mode 'parity' `true`.
   */
  keepValueState?: boolean | undefined;
  /** Drop rate in both read-out networks. A number, at least 0, below 1. @defaultValue `0` */
  dropout?: number | undefined;
  /** Drop rate of what the MLP adds. A number, at least 0, below 1. @defaultValue `0` */
  mlpDropout?: number | undefined;
  /** Carry the spectrum of the key sum in the state. @defaultValue `false` */
  freqCache?: boolean | undefined;
  /** Read the memory at every k-th position only; values below 1 mean 1. An integer. */
  kUpdate?: number | undefined;
  /**
   * What positions between two reads get: nothing, or the last read.
   * Default: `"hold"`, in the mode 'parity' `"zero"`.
   */
  skipMode?: 'zero' | 'hold' | undefined;
  /** Collect telemetry at every n-th position; values below 1 mean 1. An integer. */
  telemetryStride?: number | undefined;
  /**
   * Whether the stride counts positions or reads.
   * Default: `"computed"`, in the mode 'parity' `"raw"`.
   */
  telemetryRule?: 'raw' | 'computed' | undefined;
  /** Seed of the hash tables. An integer, at least 0. @defaultValue `42` */
  hashSeed?: number | undefined;
  /** Block l draws its tables from hashSeed + 2 l. Default: `true`, in the mode 'parity' `false`. */
  distinctHashSeeds?: boolean | undefined;
  /**
   * Whether gradients reach what was written to memory.
   * Default: `"full"`, in the mode 'parity' `"detached"`.
   */
  gradientFlow?: 'detached' | 'full' | undefined;
  /**
   * One table for queries and keys, or two.
   * Default: `"independent"`, in the mode 'parity' `"shared"`.
   */
  featureHash?: 'shared' | 'independent' | undefined;
  /**
   * Value memory behind the sketch, or on the plain channels.
   * Default: `"exact"`, in the mode 'parity' `"sketched"`.
   */
  valueKernel?: 'sketched' | 'exact' | undefined;
  /**
   * Features as they come, or divided by their RMS.
   * Default: `"rms"`, in the mode 'parity' `"reference"`.
   */
  featureScale?: 'reference' | 'rms' | undefined;
  /**
   * One rotation speed, one per channel, or no rotation by the position.
   * Default: `"channel"`, in the mode 'parity' `"scalar"`.
   */
  omegaMode?: 'scalar' | 'channel' | 'none' | undefined;
  /**
   * Keys see a learned mixture of this input and the one before.
   * Default: `true`, in the mode 'parity' `false`.
   */
  keyMix?: boolean | undefined;
  /**
   * Every head of the value memory writes a token by a learned share of its value.
   * @defaultValue `false`
   */
  writeGate?: boolean | undefined;
  /**
   * Factor on the memory per token; 1 forgets nothing.
   * A number, above 0, at most 1.
   * @defaultValue `1`
   */
  decay?: number | undefined;
  /** Factor on the value memory per token for every head, in place of decay. @defaultValue `[]` */
  headDecays?: number[] | undefined;
  /**
   * Value reads are divided by the root of the position, or of what a forgetting head still holds.
   * @defaultValue `'position'`
   */
  readScale?: 'position' | 'effective' | undefined;
  /** Standard deviation of the embedding at the start. A number, above 0. @defaultValue `1` */
  embeddingInitStd?: number | undefined;
  /** Raw value of both gates at the start. A number. Default: `0`, in the mode 'parity' `-2.5`. */
  gateInit?: number | undefined;
  /** LayerNorm after the residual sum, or before the block. @defaultValue `'post'` */
  norm?: 'post' | 'pre' | undefined;
  /**
   * Hidden width of an MLP after every block, in units of d; 0: none.
   * A number, at least 0.
   * @defaultValue `0`
   */
  mlpRatio?: number | undefined;
  /** Kind of that MLP. @defaultValue `'swiglu'` */
  mlpKind?: 'swiglu' | 'gelu' | undefined;
  /**
   * Causal depthwise convolution before the projections; 0: none.
   * An integer, at least 0.
   * @defaultValue `0`
   */
  convWidth?: number | undefined;
  /** Independent value memories of width d / heads each. An integer, at least 1. @defaultValue `1` */
  heads?: number | undefined;
  /** The head is the embedding table. @defaultValue `false` */
  tieEmbeddings?: boolean | undefined;
  /** How the feature path is computed. @defaultValue `'auto'` */
  form?: 'auto' | 'sequential' | 'fft' | 'dft' | 'bilinear' | 'pairs' | undefined;
  /**
   * What the engine is good at, for form 'auto': everything, or matrix products alone (WebGPU).
   * @defaultValue `'native'`
   */
  target?: 'native' | 'matmul' | undefined;
  /** Tokens per chunk of the parallel form. An integer, at least 1. @defaultValue `64` */
  chunk?: number | undefined;
  /**
   * Whether the last prompt token enters once or twice.
   * Default: `"exact"`, in the mode 'parity' `"reference"`.
   */
  priming?: 'exact' | 'reference' | undefined;
  /**
   * Whether top-p keeps the token that crosses the threshold.
   * Default: `"nucleus"`, in the mode 'parity' `"exclusive"`.
   */
  topPRule?: 'nucleus' | 'exclusive' | undefined;
};
