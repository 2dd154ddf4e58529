import { InputError, type NDArray } from '@palimpsest/tensor-core';
import { joinRows, rowsAt } from '../key-values/token-rows.js';
import type { RowCodec, RowTokens } from './row-codec.js';

/** Keys and values of memories, coded, by id. They are no fields of the memories themselves, which hold no large arrays. */
export class KvBank {
  readonly #bytes = new Map<number, Uint8Array>();

  /** @param tokensOf the tokens of a memory, which its text tells */
  constructor(
    readonly codec: RowCodec,
    private readonly tokensOf: (mid: number) => RowTokens,
  ) {}

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

  /**
   * Codes memories together, which costs far less than one by one.
   * @param rows of each memory, of all its tokens, `[tokens, width]`
   */
  setMany(memories: readonly { readonly mid: number; readonly rows: NDArray }[]): void {
    if (memories.length === 0) return;
    const tokens = memories.map(({ mid }) => this.tokensOf(mid));
    const kept = memories.map(({ rows }, i) => rowsAt(rows, tokens[i]!.places));
    const bytes = this.codec.encode(joinRows(kept), tokens);
    let at = 0;
    for (const [i, { mid }] of memories.entries()) {
      const end = at + tokens[i]!.places.length * this.codec.bytesPerRow;
      this.#bytes.set(mid, bytes.slice(at, end));
      at = end;
    }
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

  /** Memories one behind the other, `[tokens, width]`. @throws InputError for an id that has none. */
  rowsOf(mids: readonly number[]): NDArray<'float32'> {
    const { bytesPerRow } = this.codec;
    const bytes = new Uint8Array(mids.reduce((sum, mid) => sum + this.tokens(mid) * bytesPerRow, 0));
    let at = 0;
    for (const mid of mids) {
      const own = this.#bytes.get(mid);
      if (!own) throw new InputError(`There are no keys and values of memory ${mid}.`);
      bytes.set(own, at);
      at += own.length;
    }
    return this.codec.decode(
      bytes,
      mids.map((mid) => this.tokensOf(mid)),
    );
  }

  remove(mid: number): boolean {
    return this.#bytes.delete(mid);
  }
}
