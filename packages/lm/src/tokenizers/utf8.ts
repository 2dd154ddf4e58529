/** A UTF-8 decoder that keeps a leading U+FEFF: the default drops it, and decoding would not undo encoding. */
export function utf8Decoder() {
  return new TextDecoder('utf-8', { ignoreBOM: true });
}
