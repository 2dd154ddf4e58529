// Written by test/options.test.ts from the schema in config.ts: `vitest run --update` writes it anew.

/** What a user gives: what has no default, and whatever shall differ from the defaults. */
export type TransformerOptions = {
  /** Number of token ids. An integer, at least 1. */
  vocabSize: number;
  /**
   * Positions the model is made for; learned positions have this many rows.
   * An integer, at least 1.
   * @defaultValue `64`
   */
  context?: number | undefined;
  /** Blocks. An integer, at least 1, at most 10000. @defaultValue `4` */
  layers?: number | undefined;
  /** Query heads. An integer, at least 1. @defaultValue `4` */
  heads?: number | undefined;
  /** Key/value heads, a divisor of heads; default: as many as heads. An integer, at least 1. */
  keyValueHeads?: number | undefined;
  /** Width of the residual stream. An integer, at least 1. @defaultValue `128` */
  modelWidth?: number | undefined;
  /** Width of a head; default: modelWidth / heads. An integer, at least 1. */
  headWidth?: number | undefined;
  /** Hidden width of the MLP; default: 4 widths, gated 8/3. An integer, at least 1. */
  mlpWidth?: number | undefined;
  /** How positions enter. @defaultValue `'rotary'` */
  positions?: 'learned' | 'sinusoidal' | 'rotary' | undefined;
  /** Base θ of the rotary frequencies. A number, above 0. @defaultValue `10000` */
  rotaryBase?: number | undefined;
  /** Stretching of the rotary frequencies. @defaultValue `null` */
  rotaryScaling?:
    | {
        kind: 'linear';
        /** A number, above 0. */
        factor: number;
      }
    | {
        kind: 'llama3';
        /** A number, above 0. */
        factor: number;
        /** A number, above 0. */
        lowFrequencyFactor: number;
        /** A number, above 0. */
        highFrequencyFactor: number;
        /** An integer, at least 1. */
        originalContext: number;
      }
    | {
        kind: 'ntk';
        /** A number, above 0. */
        factor: number;
        /** A number, above 0. */
        alpha: number;
      }
    | {
        kind: 'dynamic';
        /** A number, above 0. */
        factor: number;
        /** An integer, at least 1. */
        originalContext: number;
      }
    | {
        kind: 'yarn';
        /** A number, above 0. */
        factor: number;
        /** An integer, at least 1. */
        originalContext: number;
        /** A number, above 0. @defaultValue `32` */
        fastRotations?: number | undefined;
        /** A number, above 0. @defaultValue `1` */
        slowRotations?: number | undefined;
        /** @defaultValue `true` */
        wholeDimensions?: boolean | undefined;
        /** A number, above 0. */
        magnitude: number;
      }
    | {
        kind: 'longrope';
        shortFactors: number[];
        longFactors: number[];
        /** An integer, at least 1. */
        originalContext: number;
        /** A number, above 0. */
        magnitude: number;
      }
    | {
        kind: 'factors';
        factors: number[];
      }
    | null
    | undefined;
  /** Layers, counted from 0, that leave rotary positions out. @defaultValue `[]` */
  unrotatedLayers?: number[] | undefined;
  /** Layers, counted from 0, that see the newest localWindow tokens only. @defaultValue `[]` */
  localLayers?: number[] | undefined;
  /**
   * Newest tokens that a query of a local layer sees, its own included.
   * An integer, at least 1.
   * @defaultValue `4096`
   */
  localWindow?: number | undefined;
  /**
   * Base θ of local layers, which nothing stretches then; null: as all others.
   * @defaultValue `null`
   */
  localRotaryBase?: number | null | undefined;
  /** LayerNorm, or root-mean-square without a bias. @defaultValue `'layer'` */
  norm?: 'layer' | 'rms' | undefined;
  /** Added to the variance. A number, above 0. @defaultValue `0.00001` */
  normEpsilon?: number | undefined;
  /** Exact gelu, its tanh form, or a gate with silu or with the tanh form. @defaultValue `'gelu'` */
  activation?: 'gelu' | 'geluTanh' | 'swiglu' | 'geglu' | undefined;
  /** Root-mean-square norm of every query and key head. @defaultValue `false` */
  queryKeyNorm?: boolean | undefined;
  /** Norms of what a branch adds, beside those before it. @defaultValue `false` */
  sandwichNorms?: boolean | undefined;
  /** Factor of token embeddings. A number, above 0. @defaultValue `1` */
  embeddingScale?: number | undefined;
  /** Factor of the scores; default: 1 / √headWidth. A number, above 0. */
  attentionScale?: number | undefined;
  /** Biases of the q, k and v projections. @defaultValue `false` */
  queryKeyValueBias?: boolean | undefined;
  /** Bias of the attention output projection. @defaultValue `false` */
  outputBias?: boolean | undefined;
  /** Biases of the MLP. @defaultValue `false` */
  mlpBias?: boolean | undefined;
  /** The head is the embedding table. @defaultValue `true` */
  tiedHead?: boolean | undefined;
  /**
   * Newest tokens a query sees, its own included; 0: full attention.
   * An integer, at least 0.
   * @defaultValue `0`
   */
  window?: number | undefined;
  /**
   * First tokens of the text that stay visible beside the window.
   * An integer, at least 0.
   * @defaultValue `0`
   */
  sinks?: number | undefined;
  /** Cache slots of full attention; default: context. An integer, at least 1. */
  capacity?: number | undefined;
  /** Every layer and key/value head keeps its own positions. @defaultValue `false` */
  evictable?: boolean | undefined;
  /**
   * Drop rate of embeddings and of both residual branches.
   * A number, at least 0, below 1.
   * @defaultValue `0`
   */
  dropout?: number | undefined;
};
