// Written by test/options.test.ts from the schema in config.ts: `vitest run --update` writes it anew.

/** What a user gives: what has no default, and whatever shall differ from the defaults. */
export type OmOptions = {
  /** Number of token ids V, before padding. An integer, at least 1. */
  vocabSize: number;
  /** Layers L. An integer, at least 1, at most 10000. */
  numLayers: number;
  /** Model width d. An integer, at least 1. */
  dimInput: number;
  /** Hidden width of the MLP. An integer, at least 1. */
  dimHidden: number;
  /** Key width of every pass. */
  dimsKey: number[];
  /** Value width of every pass. */
  dimsValue: number[];
  /** 1: ordinary pass; more: Hopfield pass of so many iterations. */
  numIters?: number[] | undefined;
  /** Attention heads H. An integer, at least 1. */
  numHeads: number;
  /** Activation of the MLP. @defaultValue `'gelu'` */
  activation?:
    | 'relu'
    | 'gelu'
    | 'swish'
    | 'abs'
    | 'swiglu'
    | 'geglu'
    | 'ffnglu'
    | 'ffngeglu'
    | 'ffnswiglu'
    | undefined;
  /** Tokens of a segment N. An integer, at least 1. */
  segmentLen: number;
  /** State vectors of a layer S. An integer, at least 1. */
  stateLen: number;
  /** Contextual position bias in every pass. @defaultValue `false` */
  cope?: boolean | undefined;
  /**
   * Gates summed over all later rows (sees the future), or up to the query only.
   * @defaultValue `'causal'`
   */
  copeVariant?: 'reference' | 'causal' | undefined;
  /** Rotary position embedder of every pass, or null; default: half of the key width. */
  rope?:
    | ({
        /** Width that it is made for: the key width of the pass. An integer, at least 1. */
        dim: number;
        /** Share of the width that is rotated. A number, above 0, at most 1. @defaultValue `0.5` */
        pct?: number | undefined;
        /** Base of the frequencies. A number, above 0. @defaultValue `10000` */
        base?: number | undefined;
      } | null)[]
    | undefined;
  /** Frequencies without the division by the width, with it, or those of the readme edition. */
  ropeVariant?: 'reference' | 'standard' | 'rotateHalf' | undefined;
  /** Factor on query times key of every pass; null: 1 / sqrt(key width). */
  scalingFactors?: (number | null)[] | undefined;
  /** Differential attention in every pass. @defaultValue `false` */
  diffAttn?: boolean | undefined;
  /** Width of a head before the output projection; -1: d / H. An integer. @defaultValue `-1` */
  attnProjRank?: number | undefined;
  /**
   * Which of the two implementations of the reference; they differ in differential and Hopfield passes.
   */
  stackedAttn?: boolean | undefined;
  /** Sizes of the low-rank n-gram layers. @defaultValue `[]` */
  initNgrams?: number[] | undefined;
  /** Three layers of half the hidden width in the MLP. @defaultValue `false` */
  mlp1221?: boolean | undefined;
  /** Drop rate of the MLP output. A number, at least 0, below 1. @defaultValue `0` */
  dropout?: number | undefined;
  /** Drop rate of the attention block. A number, at least 0, below 1. @defaultValue `0` */
  attnDropout?: number | undefined;
  /** Drop rate of the attention probabilities. A number, at least 0, below 1. @defaultValue `0` */
  attnLogitDropout?: number | undefined;
  /**
   * Segments through which gradients flow in training; 0: all of a call.
   * An integer, at least 0.
   * @defaultValue `0`
   */
  tbpttSegments?: number | undefined;
  /**
   * Compute the inside of each step of the wavefront again for the gradient: memory for time.
   * @defaultValue `false`
   */
  recompute?: boolean | undefined;
  /**
   * What a segment leaves: the new state, the old one plus it, or a gated mixture.
   * @defaultValue `'replace'`
   */
  stateUpdate?: 'replace' | 'residual' | 'gated' | undefined;
  /**
   * Gated states: fixed bias of the gate; its sigmoid is the share that a segment keeps at the start.
   * A number.
   * @defaultValue `2`
   */
  stateGateBias?: number | undefined;
  /**
   * The vocabulary is padded to a multiple of this; 0: the rule of the reference.
   * An integer, at least 0.
   * @defaultValue `8`
   */
  vocabPadMultiple?: number | undefined;
  /** Number of padded ids, in place of the rule. An integer, at least 0. */
  vocabOffset?: number | undefined;
  /** Id that stands before a text; default: the last one. An integer, at least 0. */
  padId?: number | undefined;
  /**
   * Standard deviations by the outputs of a map, as published, or by its inputs.
   * @defaultValue `'fanIn'`
   */
  initVariant?: 'reference' | 'fanIn' | undefined;
  /** Newest revision, or that of the readme. @defaultValue `'head'` */
  edition?: 'head' | 'readme' | undefined;
  /**
   * Readme edition: layer norm on the input of every pass, or on queries, keys and values.
   * @defaultValue `false`
   */
  attnNormalize?: boolean | 'input' | 'qkv' | undefined;
  /**
   * Readme edition: factor on the width of the last MLP.
   * An integer, at least 1.
   * @defaultValue `1`
   */
  finalMlpMultiplier?: number | undefined;
  /** Readme edition: sizes of the convolutions over embeddings. @defaultValue `[]` */
  initConvs?: number[] | undefined;
  /** Whether the read and the written copy of a state share their projections. */
  stateProjections?: 'shared' | 'readWrite' | undefined;
};
