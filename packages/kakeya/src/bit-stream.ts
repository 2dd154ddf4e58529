/** Writes whole numbers of given widths into bytes, least significant bit first. */
export class BitWriter {
  readonly bytes: Uint8Array;
  #position = 0;

  constructor(byteLength: number) {
    this.bytes = new Uint8Array(byteLength);
  }

  write(value: number, width: number): void {
    for (let i = 0; i < width; i++, this.#position++) {
      if ((value >>> i) & 1) this.bytes[this.#position >>> 3]! |= 1 << (this.#position & 7);
    }
  }
}

/** Reads what {@link BitWriter} wrote. */
export class BitReader {
  readonly #bytes: Uint8Array;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  read(width: number): number {
    let value = 0;
    for (let i = 0; i < width; i++, this.#position++) {
      value |= ((this.#bytes[this.#position >>> 3]! >>> (this.#position & 7)) & 1) << i;
    }
    return value;
  }
}
