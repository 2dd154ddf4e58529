import type { DecodingKernels } from '@palimpsest/base';
import type { NDArray, tf } from '@palimpsest/tensor-core';
import type { HostObserver } from './host-observer.js';
import type { Retention } from './retention.js';

/** What a policy carries about one layer between two updates. */
export type PolicyState<T = tf.Tensor> = {
  /** About single tokens, `[batch, heads, width, tokens]` each: gathered when tokens leave. */
  readonly tokens: { readonly [name: string]: T };
  /** About the text as a whole, batch first. */
  readonly text?: { readonly [name: string]: T };
};

/** Attention that new queries paid, and what else came with them. */
export interface Piece {
  readonly layer: number;
  /**
   * What the tokens received, averaged over the query heads of each key/value head, `[batch, heads, queries, tokens]`. Tokens
   * that the state does not know stand at the end, and received nothing before. Given to policies that need rows.
   */
  readonly rows?: tf.Tensor;
  /** Queries before rotation, `[batch, query heads, queries, headWidth]`, for policies that need them. */
  readonly queries?: tf.Tensor;
  /** int32 `[batch, queries]`: original positions of the queries, -1 for padding. */
  readonly queryPositions: tf.Tensor;
  /** Tokens in the cache. */
  readonly tokens: number;
}

/** A layer of the cache at an update. */
export interface CacheView {
  readonly layer: number;
  /** `[batch, heads, tokens, headWidth]`, rotated, oldest first */
  readonly keys: tf.Tensor;
  readonly values: tf.Tensor;
  /** int32 `[batch, heads, tokens]`: original positions, -1 where there is no token */
  readonly positions: tf.Tensor;
  /** bool `[batch, heads, tokens]` */
  readonly valid: tf.Tensor;
  /** Slots without a token stand before all others, and nowhere else. Default false. */
  readonly isPacked?: boolean;
  /** int32 `[batch]`: position of the next token */
  readonly next: tf.Tensor;
  /** The newest attention rows, as many as the policy needs and came, `[batch, heads, queries, tokens]`. */
  readonly rows?: tf.Tensor;
  readonly state: PolicyState | undefined;
  /** What `parameters` gave for this layer. */
  readonly parameters: { readonly [name: string]: tf.Tensor };
  /** Rotary frequencies of the model, `[headWidth / 2]`; absent where positions enter otherwise. */
  readonly rotary?: Float32Array;
}

/** The shape of a layer that is managed. */
export interface LayerShape {
  readonly layer: number;
  readonly heads: number;
}

/**
 * A rule for what a cache forgets: how it watches, how it scores, and what the scores decide. `observe` and `score` are
 * pure and traceable.
 */
export interface CachePolicy {
  readonly name: string;
  /** JSON that says which policy this is, options and all. */
  readonly config: { readonly [name: string]: unknown };
  readonly needs: {
    /** Newest attention rows at an update; 'all': every row goes through `observe`. */
    readonly rows: number | 'all';
    readonly queries: boolean;
  };
  /** Rows after which `observe` is worth a call; until then they wait. Default 16. */
  readonly hopLength?: number;
  /** Layers that it leaves alone keep everything. */
  readonly manages?: (layer: number) => boolean;
  /** Arrays that `score` reads, for one layer. */
  readonly parameters?: (shape: LayerShape) => Record<string, NDArray>;
  /** Takes in a piece; `state` is absent before the first. */
  observe?(state: PolicyState | undefined, piece: Piece): PolicyState;
  /** `observe` for single tokens of one text on the processor, which a small model is read by; absent where the graph does it. */
  onHost?(kernels: DecodingKernels): HostObserver | undefined;
  /** Scores of the tokens, the higher the better: float32 `[batch, heads, tokens]`; absent when nothing is ever forgotten. */
  score?(view: CacheView): tf.Tensor;
  /** Once an update is over: the state that goes on, before tokens are gathered. Default: as it was. */
  afterUpdate?(state: PolicyState, scores: tf.Tensor, view: CacheView): PolicyState;
  readonly retention: Retention;
}
