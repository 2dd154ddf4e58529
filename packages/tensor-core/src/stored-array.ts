import { nodeModule, PalimpsestError, sizeOf } from '@palimpsest/base';

/** Element types of arrays in files; little-endian. */
export type StoredDType = 'float32' | 'float16' | 'bfloat16' | 'uint8';

const BYTES: Readonly<Record<StoredDType, number>> = { float32: 4, float16: 2, bfloat16: 2, uint8: 1 };

/** Bytes that the system reads at once. */
const MOST_AT_ONCE = 2 ** 30;

/**
 * An array that stays in a file: in Node.js, graphs of the engine `onnx` map it into memory, one copy for all graphs and
 * processes. The file may not change or go as long as a graph uses it.
 */
export class StoredArray {
  /** @param offset of the first byte in the file */
  constructor(
    readonly file: string,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly dtype: StoredDType,
  ) {}

  get byteLength(): number {
    return sizeOf(this.shape) * BYTES[this.dtype];
  }

  /**
   * Copies rows to memory, for engines that read no files.
   * @param from first entry of the first axis
   * @param rows how many. Default: all that follow
   * @throws PalimpsestError when the file ends too early.
   */
  read(from = 0, rows = (this.shape[0] ?? 1) - from): Uint8Array {
    const bytes = new Uint8Array((rows * this.byteLength) / (this.shape[0] ?? 1));
    this.readInto(bytes, from);
    return bytes;
  }

  /** The same into memory that is there. */
  readInto(bytes: Uint8Array, from = 0): void {
    const fs = nodeModule('node:fs');
    const rowBytes = this.byteLength / (this.shape[0] ?? 1);
    const file = fs.openSync(this.file, 'r');
    try {
      for (let done = 0; done < bytes.length; ) {
        const position = this.offset + from * rowBytes + done;
        const count = fs.readSync(file, bytes, done, Math.min(bytes.length - done, MOST_AT_ONCE), position);
        if (count === 0) throw new PalimpsestError(`${this.file} ends before its weights do.`);
        done += count;
      }
    } finally {
      fs.closeSync(file);
    }
  }
}
