import type { Place } from '@palimpsest/base';
import type { NDArray } from '@palimpsest/tensor-core';
import type { PolicyState } from './policy.js';

/** A layer whose attention is watched on the processor. */
export interface ObservedShape {
  readonly heads: number;
  /** Room for so many tokens, a multiple of 4. */
  readonly columns: number;
  /** The first column of every head that holds a token. */
  readonly first: Int32Array;
}

/** What is carried about a layer while single tokens come. */
export interface ObservedLayer {
  /** Numbers from one head's row to the next head's. */
  readonly headStride: number;
  /** Where what the next token gives to the columns of the first head goes; 0 outside of those that hold tokens. */
  next(): Place;
  /**
   * A token's row is complete.
   * @param end column behind the newest token
   */
  advance(end: number): void;
  /** What is carried, about the columns before `end`. */
  state(end: number): PolicyState<NDArray>;
}

/** `observe` for single tokens, by the kernels of the processor. */
export interface HostObserver {
  /** Numbers in the kernels' memory for each head. */
  numbers(columns: number): number;
  /** @param place of the numbers of all heads, which it fills */
  open(place: Place, shape: ObservedShape, state: PolicyState<NDArray> | undefined): ObservedLayer;
}
