import type { StreamingDecoder } from './tokenizer.js';
import { utf8Decoder } from './utf8.js';

/** The bytes that an id stands for. */
export type BytesOf = (id: number) => Uint8Array;

/** The text of ids that stand for bytes; broken UTF-8 becomes U+FFFD. */
export function decodePieces(ids: ArrayLike<number>, bytesOf: BytesOf): string {
  const pieces = Array.from(ids, bytesOf);
  const joined = new Uint8Array(pieces.reduce((total, piece) => total + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return utf8Decoder().decode(joined);
}

/** The same id by id: the bytes of an unfinished character wait for the rest of it. */
export function streamPieces(bytesOf: BytesOf): StreamingDecoder {
  const decoder = utf8Decoder();
  return {
    push: (id) => decoder.decode(bytesOf(id), { stream: true }),
    flush: () => decoder.decode(),
  };
}
