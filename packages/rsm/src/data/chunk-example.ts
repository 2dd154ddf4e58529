import { InputError, type NDArray, ndarray, Rng } from '@palimpsest/tensor-core';

/** Tokens to read, and the next token of each. */
export interface ChunkExample {
  readonly x: Int32Array;
  readonly y: Int32Array;
}

/** Examples of one length by number. */
export interface ChunkDataset {
  readonly length: number;
  at(index: number): ChunkExample;
}

/** int32 [batch, time] each. */
export interface ChunkBatch {
  readonly x: NDArray<'int32'>;
  readonly y: NDArray<'int32'>;
}

export interface BatchingOptions {
  /** Default 32. */
  readonly batchSize?: number;
  /** Draw the examples in another order for every seed. Default: their own order. */
  readonly shuffleSeed?: number;
}

/** Number of batches, the last one of which may be smaller. */
export function countBatches(dataset: ChunkDataset, batchSize = 32): number {
  return Math.ceil(dataset.length / batchSize);
}

/** The examples of a dataset in batches; the last one may be smaller. */
export function* batchesOf(
  dataset: ChunkDataset,
  options: BatchingOptions = {},
): Generator<ChunkBatch, void, undefined> {
  const { batchSize = 32, shuffleSeed } = options;
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new InputError(`A batch holds at least one example, but ${batchSize} was given.`);
  }
  const order =
    shuffleSeed === undefined
      ? Int32Array.from({ length: dataset.length }, (_, index) => index)
      : Rng.fromSeed(shuffleSeed).permutation(dataset.length);
  for (let start = 0; start < order.length; start += batchSize) {
    const examples = Array.from(order.subarray(start, start + batchSize), (index) => dataset.at(index));
    yield { x: stack(examples.map(({ x }) => x)), y: stack(examples.map(({ y }) => y)) };
  }
}

function stack(rows: readonly Int32Array[]): NDArray<'int32'> {
  const time = rows[0]!.length;
  const data = new Int32Array(rows.length * time);
  rows.forEach((row, index) => {
    data.set(row, index * time);
  });
  return ndarray(data, [rows.length, time], 'int32') as NDArray<'int32'>;
}

/** @throws InputError for an index outside a dataset. */
export function checkIndex(index: number, length: number): void {
  if (Number.isInteger(index) && index >= 0 && index < length) return;
  throw new InputError(`Example ${index} does not exist; the dataset has ${length}, numbered from 0.`);
}
