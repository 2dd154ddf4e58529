import { InputError } from '@palimpsest/tensor-core';
import { streamPieces } from './byte-pieces.js';
import type { StreamingDecoder, Tokenizer, TokenizerData } from './tokenizer.js';
import { utf8Decoder } from './utf8.js';

const BLANK = 0x20;

/** One id per byte of the UTF-8 text: 256 ids, nothing is unknown. */
export class ByteTokenizer implements Tokenizer {
  readonly kind = 'byte';
  readonly vocabSize = 256;
  readonly startId = BLANK;

  encode(text: string): Int32Array {
    return Int32Array.from(new TextEncoder().encode(text));
  }

  decode(ids: ArrayLike<number>): string {
    return utf8Decoder().decode(Uint8Array.from(ids, (id) => byteOf(id)));
  }

  streamingDecoder(): StreamingDecoder {
    return streamPieces((id) => Uint8Array.of(byteOf(id)));
  }

  toJSON(): TokenizerData {
    return { kind: this.kind };
  }
}

function byteOf(id: number): number {
  if (id >= 0 && id < 256) return id;
  throw new InputError(`The id ${id} is outside the byte vocabulary; ids are 0 to 255.`);
}
