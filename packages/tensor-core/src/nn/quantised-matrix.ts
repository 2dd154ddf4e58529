import { InputError } from '@palimpsest/base';
import type { StoredArray } from '../stored-array.js';

/** Values that share a scale. */
export const QUANTISED_BLOCK = 32;
/** Bits of a value that can be packed. */
export const quantisedBits = [4, 8] as const;
export type QuantisedBits = (typeof quantisedBits)[number];

/** The parts of a quantised matrix, in files. */
export interface StoredBlocks {
  /** uint8 `[outputs, blocks, 4 · bits]` */
  readonly packed: StoredArray;
  /** float32 `[outputs, blocks]` */
  readonly scales: StoredArray;
}

/**
 * A matrix `[outputs, inputs]` that stays small: value = scale · (q − 2^(bits−1)), with one scale for every 32 values of a
 * row. The layout is that of ONNX Runtime's MatMulNBits; rows that are no multiple of 32 end with zeros.
 */
export class QuantisedMatrix {
  /** Blocks of a row. */
  readonly blocks: number;
  #packed: Uint8Array | undefined;
  #scales: Float32Array | undefined;

  /**
   * All zeros, or what lies in files.
   * @throws InputError for sizes that are no positive whole numbers.
   */
  constructor(
    readonly outputs: number,
    readonly inputs: number,
    readonly bits: QuantisedBits,
    readonly stored?: StoredBlocks,
  ) {
    if (![outputs, inputs].every((size) => Number.isSafeInteger(size) && size > 0)) {
      throw new InputError(`A quantised matrix has positive sizes, but [${outputs}, ${inputs}] was given.`);
    }
    this.blocks = Math.ceil(inputs / QUANTISED_BLOCK);
    if (stored) return;
    this.#packed = new Uint8Array(outputs * this.blocks * this.blockBytes).fill(bits === 4 ? 0x88 : 0x80);
    this.#scales = new Float32Array(outputs * this.blocks);
  }

  /** `[outputs, blocks, 4 · bits]`; of 4 bits, byte i of a block has values 2i (low half) and 2i + 1 (high half). */
  get packed(): Uint8Array {
    this.#packed ??= this.stored!.packed.read();
    return this.#packed;
  }

  /** `[outputs, blocks]` */
  get scales(): Float32Array {
    this.#scales ??= new Float32Array(this.stored!.scales.read().buffer);
    return this.#scales;
  }

  /** Copies or views of rows as they are packed, and of their scales; what lies in files is read anew. */
  bytesOfRows(from: number, rows: number): { packed: Uint8Array; scales: Uint8Array } {
    const { stored, blocks, blockBytes } = this;
    if (stored) return { packed: stored.packed.read(from, rows), scales: stored.scales.read(from, rows) };
    const scales = this.scales.subarray(from * blocks, (from + rows) * blocks);
    return {
      packed: this.packed.subarray(from * blocks * blockBytes, (from + rows) * blocks * blockBytes),
      scales: new Uint8Array(scales.buffer, scales.byteOffset, scales.byteLength),
    };
  }

  /** Bytes of a packed block. */
  get blockBytes(): number {
    return (QUANTISED_BLOCK * this.bits) / 8;
  }

  /** Bytes in memory. */
  get byteLength(): number {
    return this.outputs * this.blocks * (this.blockBytes + Float32Array.BYTES_PER_ELEMENT);
  }

  /** Rounds a row to the nearest values that its blocks can have. */
  setRow(row: number, values: Float32Array): void {
    const levels = new Int8Array(QUANTISED_BLOCK);
    for (let block = 0; block < this.blocks; block++) {
      const from = block * QUANTISED_BLOCK;
      const count = Math.min(QUANTISED_BLOCK, this.inputs - from);
      levels.fill(0);
      const extreme = extremeOf(values, from, count);
      const round = this.bits === 8 ? roundTo8 : roundTo4;
      const scale = extreme === 0 ? 0 : round(values, from, count, extreme, levels);
      this.setBlock(row, block, scale, levels);
    }
  }

  /** Writes a block whose levels are known: value = scale · level, −2^(bits−1) ≤ level < 2^(bits−1). */
  setBlock(row: number, block: number, scale: number, levels: Int8Array): void {
    const { packed, scales, bits } = this;
    const index = row * this.blocks + block;
    const at = index * this.blockBytes;
    scales[index] = scale;
    if (bits === 8) {
      for (let i = 0; i < QUANTISED_BLOCK; i++) packed[at + i] = levels[i]! + 128;
      return;
    }
    for (let i = 0; i < QUANTISED_BLOCK / 2; i++) {
      packed[at + i] = (levels[2 * i]! + 8) | ((levels[2 * i + 1]! + 8) << 4);
    }
  }

  /** Values of a row, `[inputs]`. */
  row(row: number, into = new Float32Array(this.inputs)): Float32Array {
    for (let i = 0; i < this.inputs; i++) {
      const index = row * this.blocks + Math.floor(i / QUANTISED_BLOCK);
      const within = i % QUANTISED_BLOCK;
      const at = index * this.blockBytes;
      const level =
        this.bits === 8
          ? this.packed[at + within]! - 128
          : ((this.packed[at + (within >> 1)]! >> (4 * (within & 1))) & 15) - 8;
      into[i] = this.scales[index]! * level;
    }
    return into;
  }
}

/** The value of the largest magnitude. */
function extremeOf(values: Float32Array, from: number, count: number): number {
  let extreme = 0;
  for (let i = from; i < from + count; i++) {
    if (Math.abs(values[i]!) > Math.abs(extreme)) extreme = values[i]!;
  }
  return extreme;
}

/** Levels −127 to 127 of the largest magnitude. @returns the scale */
function roundTo8(
  values: Float32Array,
  from: number,
  count: number,
  extreme: number,
  levels: Int8Array,
): number {
  const scale = Math.fround(Math.abs(extreme) / 127);
  // So small a number that a 127th of it is none.
  if (scale === 0) return 0;
  for (let i = 0; i < count; i++) {
    levels[i] = Math.max(-127, Math.min(127, Math.round(values[from + i]! / scale)));
  }
  return scale;
}

/**
 * Levels −8 to 7, the value of the largest magnitude at −8; then the scale that is best for these levels by least squares.
 * @returns the scale
 */
function roundTo4(
  values: Float32Array,
  from: number,
  count: number,
  extreme: number,
  levels: Int8Array,
): number {
  const first = extreme / -8;
  let [product, square] = [0, 0];
  for (let i = 0; i < count; i++) {
    const value = values[from + i]!;
    const level = Math.max(-8, Math.min(7, Math.round(value / first)));
    levels[i] = level;
    product += value * level;
    square += level * level;
  }
  return Math.fround(product / square);
}
