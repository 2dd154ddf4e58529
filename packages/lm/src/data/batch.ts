import { formatShape, InputError, type NDArray } from '@palimpsest/tensor-core';
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

/**
 * The positions of a batch that a loss is taken at, Σ weight · loss / Σ weight; targets elsewhere are not looked at. The sum
 * is over one batch: where a step accumulates several, their means count alike, whatever their weights add up to.
 */
export interface CountedPlaces {
  /** int32 [count], at least one: positions, row by row, in 0 … batch · time − 1. */
  readonly places: NDArray<'int32'>;
  /** float32, as long as `places`; finite, 0 or more, not all 0. */
  readonly weights: NDArray<'float32'>;
}

/** @throws InputError for a batch whose `counted` is not as `CountedPlaces` has it: no engine would say so. */
export function checkCounted({ inputs, counted }: Batch): void {
  if (!counted) return;
  const { places, weights } = counted;
  const isList = (array: NDArray, dtype: string) => array.dtype === dtype && array.shape.length === 1;
  const [count, size] = [places.data.length, inputs.data.length];
  if (
    !isList(places, 'int32') ||
    !isList(weights, 'float32') ||
    weights.data.length !== count ||
    count === 0
  ) {
    throw new InputError(
      `Counted places are int32 [count] with weights float32 [count], at least one, but got ${places.dtype} ${formatShape(places.shape)} with ${weights.dtype} ${formatShape(weights.shape)}.`,
    );
  }
  const outside = places.data.find((place) => place < 0 || place >= size);
  if (outside !== undefined) {
    throw new InputError(`The counted place ${outside} is outside the ${size} positions of the batch.`);
  }
  const wrong = weights.data.find((weight) => !(weight >= 0 && Number.isFinite(weight)));
  if (wrong !== undefined || weights.data.every((weight) => weight === 0)) {
    throw new InputError(
      `Weights of counted places are finite, 0 or more and not all 0, but ${wrong === undefined ? 'all are 0' : `one is ${wrong}`}.`,
    );
  }
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
