import { InputError, type NDArray } from '@palimpsest/tensor-core';
import type { RowCodec } from './row-codec.js';

/** Keys and values of memories, coded, by id. They are no fields of the memories themselves, which hold no large arrays. */
export class KvBank {
  readonly #bytes = new Map<number, Uint8Array>();

  constructor(readonly codec: RowCodec) {}

  /** Number of memories. */
  get size(): number {
    return this.#bytes.size;
  }

  /** Bytes of all memories. */
  get byteLength(): number {
    let sum = 0;
    for (const { byteLength } of this.#bytes.values()) sum += byteLength;
    return sum;
  }

  /** @param rows `[tokens, width]` */
  set(mid: number, rows: NDArray): void {
    this.#bytes.set(mid, this.codec.encode(rows));
  }

  /** Puts back what `bytesOf` gave. */
  restore(mid: number, bytes: Uint8Array): void {
    if (bytes.length % this.codec.bytesPerRow !== 0) {
      throw new InputError(
        `Memory ${mid} has ${bytes.length} bytes of keys and values, which are no rows of ${this.codec.bytesPerRow}; its file belongs to other adapters.`,
      );
    }
    this.#bytes.set(mid, bytes);
  }

  bytesOf(mid: number): Uint8Array | undefined {
    return this.#bytes.get(mid);
  }

  /** Tokens of a memory. */
  tokens(mid: number): number {
    return (this.#bytes.get(mid)?.length ?? 0) / this.codec.bytesPerRow;
  }

  /** `[tokens, width]`. @throws InputError for an id that has none. */
  get(mid: number): NDArray<'float32'> {
    const bytes = this.#bytes.get(mid);
    if (!bytes) throw new InputError(`There are no keys and values of memory ${mid}.`);
    return this.codec.decode(bytes);
  }

  remove(mid: number): boolean {
    return this.#bytes.delete(mid);
  }
}
