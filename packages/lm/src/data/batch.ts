import type { NDArray } from '@palimpsest/tensor-core';
import type { JsonObject } from '../sequence-model.js';

/** Target of a position that does not count. */
export const IGNORED_TARGET = -1;

/** One batch of training text. */
export interface Batch {
  /** int32 [batch, time]. */
  readonly inputs: NDArray<'int32'>;
  /** int32 [batch, time]: the next token of each position, or -1 where there is none to learn. */
  readonly targets: NDArray<'int32'>;
  /** int32 [batch]: 1 where a lane begins anew and its memory must be that of `initState`. */
  readonly resets: NDArray<'int32'>;
  /** Where few positions count, or not all alike. Absent: all positions with a target count alike. */
  readonly counted?: CountedPlaces;
}

/** The positions of a batch that a loss is taken at, Σ weight · loss / Σ weight; targets elsewhere are not looked at. */
export interface CountedPlaces {
  /** int32 [count]: positions, row by row, in 0 … batch · time − 1. */
  readonly places: NDArray<'int32'>;
  /** float32 [count], 0 or more. */
  readonly weights: NDArray<'float32'>;
}

/** An endless stream of batches whose place can be stored. */
export interface BatchSource {
  /** Rows of a batch; where `carriesState` is false, batches may have fewer. */
  readonly batch: number;
  /** Tokens of a row; where `carriesState` is false, batches may have fewer. */
  readonly time: number;
  /** True when lanes go on from batch to batch, so that the memory is carried over. */
  readonly carriesState: boolean;
  /** True when targets may be -1. */
  readonly hasIgnoredTargets: boolean;
  next(): Batch;
  /** The place in the stream as JSON, before the next batch. */
  cursor(): JsonObject;
  /** Continues at a place that `cursor()` gave. */
  seek(cursor: JsonObject): void;
}

/** Number of positions that count. */
export function countTargets(batch: Batch): number {
  return batch.targets.data.reduce((count, target) => count + (target === IGNORED_TARGET ? 0 : 1), 0);
}
