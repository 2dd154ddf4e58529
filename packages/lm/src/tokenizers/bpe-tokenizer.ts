import { InputError } from '@palimpsest/tensor-core';
import { decodePieces, streamPieces } from './byte-pieces.js';
import { TokenChain } from './token-chain.js';
import type { StreamingDecoder, Tokenizer, TokenizerData } from './tokenizer.js';
import { type Merge, trainMerges } from './train-merges.js';

const BYTES = 256;
const BLANK = 0x20;

/** Ends a text in the id stream; never produced by `encode`, decoded to nothing. */
export const END_TOKEN = '<|end|>';

export interface BpeTrainingOptions {
  /** 256 bytes + special tokens + merges. Default 512. */
  readonly vocabSize?: number;
  /** Ids of their own after the bytes. Default `['<|end|>']`. */
  readonly specialTokens?: readonly string[];
}

/**
 * Byte-level byte-pair encoding: ids 0-255 are bytes, then special tokens, then one id per merge. Encoding applies the
 * merges in the order in which they were learned, so `decode(encode(text)) = text` for every Unicode string.
 */
export class BpeTokenizer implements Tokenizer {
  readonly kind = 'bpe';
  readonly vocabSize: number;
  readonly startId: number;
  readonly endId?: number;
  readonly #firstMerge: number;
  readonly #bytes: readonly Uint8Array[];

  /** @throws InputError when a merge uses an id that is not made before it. */
  constructor(
    readonly merges: readonly Merge[],
    readonly specialTokens: readonly string[] = [END_TOKEN],
  ) {
    this.#firstMerge = BYTES + specialTokens.length;
    this.vocabSize = this.#firstMerge + merges.length;
    const end = specialTokens.indexOf(END_TOKEN);
    if (end >= 0) this.endId = BYTES + end;
    this.startId = this.endId ?? BLANK;
    this.#bytes = this.#byteTable();
  }

  /**
   * Learns merges from texts; no merge spans two of them.
   * @throws InputError when the vocabulary cannot hold the bytes and the special tokens.
   */
  static train(texts: string | readonly string[], options: BpeTrainingOptions = {}): BpeTokenizer {
    const { vocabSize = 512, specialTokens = [END_TOKEN] } = options;
    const reserved = BYTES + specialTokens.length;
    if (!Number.isInteger(vocabSize) || vocabSize < reserved || vocabSize > 2 ** 20) {
      throw new InputError(
        `A byte-level vocabulary holds 256 bytes and ${specialTokens.length} special tokens: choose a size from ${reserved} to 1048576, not ${vocabSize}.`,
      );
    }
    const encoder = new TextEncoder();
    const list = typeof texts === 'string' ? [texts] : texts;
    const bytes = list.map((text) => encoder.encode(text));
    return new BpeTokenizer(trainMerges(bytes, reserved, vocabSize - reserved), specialTokens);
  }

  encode(text: string): Int32Array {
    const chain = new TokenChain([new TextEncoder().encode(text)]);
    this.merges.forEach(([left, right], rank) => {
      chain.merge(left, right, this.#firstMerge + rank);
    });
    return chain.ids();
  }

  decode(ids: ArrayLike<number>): string {
    return decodePieces(ids, (id) => this.bytesOf(id));
  }

  streamingDecoder(): StreamingDecoder {
    return streamPieces((id) => this.bytesOf(id));
  }

  /** The bytes that an id stands for; none for special tokens. @throws InputError for an id outside the vocabulary. */
  bytesOf(id: number): Uint8Array {
    const bytes = this.#bytes[id];
    if (bytes === undefined) {
      throw new InputError(
        `The id ${id} is outside the vocabulary of ${this.vocabSize}; ids are 0 to ${this.vocabSize - 1}.`,
      );
    }
    return bytes;
  }

  toJSON(): TokenizerData {
    return { kind: this.kind, specialTokens: this.specialTokens, merges: this.merges };
  }

  #byteTable(): Uint8Array[] {
    const table = Array.from({ length: BYTES }, (_, byte) => Uint8Array.of(byte));
    for (const _ of this.specialTokens) table.push(new Uint8Array(0));
    for (const [left, right] of this.merges) {
      const parts = [table[left], table[right]];
      if (!parts[0]?.length || !parts[1]?.length) {
        throw new InputError(
          `Merge ${table.length - this.#firstMerge} joins the ids ${left} and ${right}, but ids below ${table.length} that stand for bytes are all there is before it.`,
        );
      }
      table.push(Uint8Array.from([...parts[0], ...parts[1]]));
    }
    return table;
  }
}
