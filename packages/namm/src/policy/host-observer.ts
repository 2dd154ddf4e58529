import type { Place } from '@palimpsest/base';
import type { NDArray } from '@palimpsest/tensor-core';
import type { PolicyState } from './policy.js';

/** Room in the memory of the processor's kernels. */
export interface HostRoom {
  /** Room for so many numbers, a multiple of 4; they are what was there before. */
  take(count: number): Place;
  give(place: Place, count: number): void;
}

/** A layer whose attention is watched on the processor. */
export interface ObservedShape {
  readonly heads: number;
  /** The most tokens that it will hold. */
  readonly columns: number;
  /** The first column of every head that holds a token. */
  readonly first: Int32Array;
  /** The column behind the newest token. */
  readonly end: number;
}

/** What is carried about a layer while single tokens come: lines of numbers about its columns, in tiles of them. */
export interface ObservedLayer {
  /** Addresses of the tiles, with room for one more token. */
  readonly tiles: Place;
  /** Numbers from one head's line to the next head's. */
  readonly headStride: number;
  /** Where what the next token gives to the first head's columns goes, from the beginning of a tile on; 0 in columns without a token. */
  readonly line: number;
  readonly bytes: number;
  /**
   * A token's line is complete.
   * @param end column behind the newest token
   */
  advance(end: number): void;
  /** What is carried, about the columns before `end`. */
  state(end: number): PolicyState<NDArray>;
  dispose(): void;
}

/** `observe` for single tokens, by the kernels of the processor. */
export interface HostObserver {
  open(room: HostRoom, shape: ObservedShape, state: PolicyState<NDArray> | undefined): ObservedLayer;
}
