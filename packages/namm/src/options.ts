// Written by test/options.test.ts from the schema in config.ts: `vitest run --update` writes it anew.

/** What a user gives: whatever shall differ from the defaults; `normalise: true` is its default. */
export type PolicyOptions = {
  /**
   * The method repaired, or the arithmetic of one of the two published programs.
   * @defaultValue `'improved'`
   */
  mode?: 'improved' | 'parityOfficial' | 'parityOpenNamm' | undefined;
  /** Tokens between two updates. An integer, at least 1. @defaultValue `512` */
  updateInterval?: number | undefined;
  /** Longest piece of a prompt; null: an interval. @defaultValue `128` */
  maxTokensPerForward?: number | null | undefined;
  /** Samples of attention under one window. An integer, at least 2. @defaultValue `32` */
  nFft?: number | undefined;
  /** Samples between two windows. An integer, at least 1. @defaultValue `16` */
  hopLength?: number | undefined;
  /** Weights of the samples: by name, decaying, or given. @defaultValue `'hann'` */
  window?:
    | 'hann'
    | 'average'
    | 'rectangular'
    | {
        /** A number, above 0, below 1. */
        ema: number;
      }
    | number[]
    | undefined;
  /** |X| of every bin; false: real and imaginary part. @defaultValue `true` */
  outputMagnitudes?: boolean | undefined;
  /**
   * What one token leaves of the average over time.
   * A number, above 0, below 1.
   * @defaultValue `0.99`
   */
  emaCoeff?: number | undefined;
  /** Bins to mean 0 and deviation 1; false: as they are. @defaultValue `{}` */
  normalise?:
    | false
    | {
        /** Statistics learn while parameters are evolved. @defaultValue `false` */
        updateDuringTraining?: boolean | undefined;
        /** Statistics learn in evaluations until they are frozen. @defaultValue `true` */
        updateDuringEval?: boolean | undefined;
        /** Iterations of evolution after which they stay. An integer, at least 0. @defaultValue `1` */
        freezeAfter?: number | undefined;
        /** Statistics of every layer instead of one pair for all. @defaultValue `false` */
        perLayer?: boolean | undefined;
      }
    | true
    | undefined;
  /** Width of the embedded age; 0: none. An integer, at least 0. @defaultValue `8` */
  recencyEmbedDim?: number | undefined;
  /** Longest period of the embedded age over 2π. A number, above 1. @defaultValue `50000` */
  recencyMaxFreq?: number | undefined;
  /** Age of the newest token. An integer, at least 0. @defaultValue `0` */
  startRecencyFrom?: number | undefined;
  /**
   * Accepted for the published files; ages have no limit here.
   * An integer, at least 1.
   * @defaultValue `32768`
   */
  maxPositionId?: number | undefined;
  /** What turns features into scores. @defaultValue `'bam'` */
  scorer?: 'bam' | 'bamNoMult' | 'mlp' | 'linear' | undefined;
  /** Backward attention memory. @defaultValue `{}` */
  bam?:
    | {
        /** Width d of queries, keys and values. An integer, at least 1. @defaultValue `32` */
        hiddenDim?: number | undefined;
        /** Heads, which split the width. An integer, at least 1. @defaultValue `1` */
        numHeads?: number | undefined;
        /** Biases of the projections. @defaultValue `true` */
        bias?: boolean | undefined;
        /** Turn queries and keys by their original positions. @defaultValue `false` */
        useRope?: boolean | undefined;
        /** Base of those angles. A number, above 0. @defaultValue `50000` */
        ropeTheta?: number | undefined;
        /**
         * A token looks at itself and newer ones, at itself and older ones, or at all.
         * @defaultValue `'backward'`
         */
        maskingStrategy?: 'backward' | 'forward' | null | undefined;
        /** Add what was read to the features. @defaultValue `true` */
        residual?: boolean | undefined;
        /** Multiply the features by what was read. @defaultValue `true` */
        mult?: boolean | undefined;
        /** Of the factor; null: identity. @defaultValue `null` */
        multNonlinearity?: 'relu' | 'tanh' | 'sigmoid' | 'gelu' | 'silu' | null | undefined;
        /** Layers of the readout; 1 is linear. An integer, at least 1, at most 64. @defaultValue `1` */
        mlpDepth?: number | undefined;
        /** Its hidden width, needed beyond depth 1. @defaultValue `null` */
        mlpHidden?: number | null | undefined;
        /** Its biases. @defaultValue `true` */
        mlpBias?: boolean | undefined;
        /** Its activation. @defaultValue `'relu'` */
        mlpNonLinearity?: 'relu' | 'tanh' | 'sigmoid' | 'gelu' | 'silu' | undefined;
        /** Add the input of its middle layers. @defaultValue `true` */
        mlpResidual?: boolean | undefined;
        /** Add the input of its first layer. @defaultValue `false` */
        mlpResidualFirst?: boolean | undefined;
        /** Newer tokens that a token looks at; null: all of them. @defaultValue `null` */
        window?: number | null | undefined;
      }
    | undefined;
  /** The scorer without attention. @defaultValue `{}` */
  mlp?:
    | {
        /** Layers; 1 is linear. An integer, at least 1, at most 64. @defaultValue `1` */
        depth?: number | undefined;
        /** Hidden width; null: that of the features. @defaultValue `null` */
        hidden?: number | null | undefined;
        /** Biases. @defaultValue `false` */
        bias?: boolean | undefined;
        /** Activation. @defaultValue `'relu'` */
        nonLinearity?: 'relu' | 'tanh' | 'sigmoid' | 'gelu' | 'silu' | undefined;
        /** Add the input of middle layers. @defaultValue `true` */
        residual?: boolean | undefined;
        /** Add the input of the first layer. @defaultValue `true` */
        residualFirst?: boolean | undefined;
      }
    | undefined;
  /** Average of scores over time. */
  scoreEmaCoeff?: number | null | undefined;
  /** Who shares parameters. @defaultValue `'shared'` */
  paramSharing?: 'shared' | 'perLayer' | 'perHead' | undefined;
  /**
   * What the scores decide: above zero, above a learned threshold, or the best.
   * @defaultValue `{}`
   */
  selection?:
    | {
        /** @defaultValue `'binary'` */
        kind?: 'binary' | 'dynamic' | 'topk' | undefined;
        /** Most tokens per head. */
        cacheSize?: number | null | undefined;
      }
    | undefined;
  /** Added to the threshold. A number. @defaultValue `0` */
  thresholdShift?: number | undefined;
  /** Every head its own number, or all the largest. */
  eviction?: 'ragged' | 'parity' | undefined;
  /** Layout of the parameters. @defaultValue `'standard'` */
  parameterisation?: 'standard' | 'folded' | undefined;
  /** Window lengths side by side. @defaultValue `null` */
  scales?: number[] | null | undefined;
  /** Updates when they pay, instead of after a fixed interval. @defaultValue `null` */
  adaptive?:
    | {
        /** Update when so many new tokens per kept one. A number, above 0. @defaultValue `0.5` */
        tailShare?: number | undefined;
        /** Fewest new tokens; default: 8 hops. An integer, at least 1. */
        least?: number | undefined;
      }
    | null
    | undefined;
  /** Blocks of tokens are scored before tokens. @defaultValue `null` */
  hierarchy?:
    | {
        /** Neighbours that are judged together first. An integer, at least 1. @defaultValue `16` */
        block?: number | undefined;
      }
    | null
    | undefined;
};
