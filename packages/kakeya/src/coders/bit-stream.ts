/** Writes whole numbers of given widths, up to 16 bits each, into bytes, least significant bit first. */
export class BitWriter {
  readonly bytes: Uint8Array;
  #position = 0;

  constructor(byteLength: number) {
    this.bytes = new Uint8Array(byteLength);
  }

  write(value: number, width: number): void {
    const at = this.#position >>> 3;
    const shifted = (value & ((1 << width) - 1)) << (this.#position & 7);
    this.#position += width;
    this.bytes[at]! |= shifted;
    if (shifted > 0xff) this.bytes[at + 1]! |= shifted >>> 8;
    if (shifted > 0xffff) this.bytes[at + 2]! |= shifted >>> 16;
  }

  /** Writes numbers that fit their widths, of at most 9 bits each. */
  writeAll(values: Uint16Array, widths: Int32Array): void {
    let [at, held] = [this.#position >>> 3, this.#position & 7];
    let bits = this.bytes[at] ?? 0;
    for (let i = 0; i < widths.length; i++) {
      const width = widths[i]!;
      bits |= values[i]! << held;
      held += width;
      this.#position += width;
      for (; held >= 8; held -= 8, bits >>>= 8) this.bytes[at++] = bits;
    }
    if (held > 0) this.bytes[at] = bits;
  }
}

/** Reads what {@link BitWriter} wrote; many codes of one length, one after the other, with `load`. */
export class BitReader {
  /** The bytes and two more, so that a number at the end needs no test. */
  readonly #bytes: Uint8Array;
  #position = 0;

  constructor(source: number | Uint8Array) {
    this.#bytes = new Uint8Array((typeof source === 'number' ? source : source.length) + 3);
    if (typeof source !== 'number') this.#bytes.set(source);
  }

  /** Begins with another code of the same length. */
  load(bytes: Uint8Array): void {
    this.#bytes.set(bytes);
    this.#position = 0;
  }

  /** Bits read so far. */
  get position(): number {
    return this.#position;
  }

  read(width: number): number {
    const at = this.#position >>> 3;
    const window = this.#bytes[at]! | (this.#bytes[at + 1]! << 8) | (this.#bytes[at + 2]! << 16);
    const value = (window >>> (this.#position & 7)) & ((1 << width) - 1);
    this.#position += width;
    return value;
  }
}
