import { halfToFloat } from '@palimpsest/base';

/** How blocks of a GGUF type become numbers. */
export interface BlockFormat {
  readonly name: string;
  /** Values of a block. */
  readonly values: number;
  /** Bytes of a block. */
  readonly bytes: number;
  /** Writes the values of a block that begins at a byte. */
  readonly dequantise: (bytes: Uint8Array, at: number, into: Float32Array, to: number) => void;
  /** Of blocks of 32 values that are a scale times whole numbers: writes these and gives the scale. */
  readonly levels?: (bytes: Uint8Array, at: number, into: Int8Array) => number;
  /** Bits of a whole number. */
  readonly levelBits?: number;
}

/** A half-precision number of a block. */
export const halfAt = (bytes: Uint8Array, at: number): number =>
  halfToFloat(bytes[at]! | (bytes[at + 1]! << 8));
