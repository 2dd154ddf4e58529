import { type ChunkDataset, type ChunkExample, checkIndex } from './chunk-example.js';
import { checkChunkSize } from './chunked-sequences.js';

/**
 * A document cut into floor(N / chunkSize) chunks that do not overlap (rsm.md 8). An example reads all tokens of its chunk
 * but the last and predicts all but the first: the first token of a chunk is no target, as in the reference.
 */
export class ChunkedDocument implements ChunkDataset {
  readonly length: number;
  readonly #tokens: Int32Array;

  /** @throws InputError for a chunk of fewer than two tokens. */
  constructor(
    tokens: ArrayLike<number>,
    readonly chunkSize = 256,
  ) {
    checkChunkSize(chunkSize, 2);
    this.#tokens = tokens instanceof Int32Array ? tokens : Int32Array.from(tokens);
    this.length = Math.floor(this.#tokens.length / chunkSize);
  }

  at(index: number): ChunkExample {
    checkIndex(index, this.length);
    const chunk = this.#tokens.subarray(index * this.chunkSize, (index + 1) * this.chunkSize);
    return { x: chunk.subarray(0, -1), y: chunk.subarray(1) };
  }
}
