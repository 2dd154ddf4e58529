import { type NDArray, ndarray, tf } from '@palimpsest/tensor-core';

/** Cosines and sines of position · frequency, `[..., frequencies]` each. */
export interface Angles<T = tf.Tensor> {
  readonly cos: T;
  readonly sin: T;
}

/** Three digits of this radix reach every int32 position. */
const RADIX = 1291;

/**
 * Angles of positions. A float32 product position · frequency loses its digits after some ten thousand tokens, so the
 * sines come from float64 tables: one table for positions known beforehand; otherwise one table per digit of the
 * position in base 1291, put together by the angle sum formulas, which holds for a text of any length.
 */
export class PositionAngles {
  readonly #digitTables: (Float32Array | undefined)[] = [];

  /**
   * @param frequencies radians per token, float64
   * @param magnitude factor of all cosines and sines. Default 1
   */
  constructor(
    readonly frequencies: Float64Array,
    readonly magnitude = 1,
  ) {}

  /** Angles of 0, 1, …, count − 1 as constants, `[count, frequencies]`. */
  firstPositions(count: number): Angles {
    const { cos, sin } = this.firstRows(count);
    const shape: [number, number] = [count, this.frequencies.length];
    return { cos: tf.tensor2d(cos.data, shape), sin: tf.tensor2d(sin.data, shape) };
  }

  /** The same on the host. */
  firstRows(count: number): Angles<NDArray> {
    const table = this.#table(count, 1, this.magnitude);
    const half = this.frequencies.length;
    return { cos: columns(table, count, half, 0), sin: columns(table, count, half, half) };
  }

  /**
   * Angles of any positions.
   * @param positions int32 `[batch, time]`, not negative
   * @returns `[batch, time, frequencies]`
   */
  at(positions: tf.Tensor): Angles {
    let angles = this.#digit(tf.mod(positions, tf.scalar(RADIX, 'int32')), 0);
    let rest = tf.floorDiv(positions, tf.scalar(RADIX, 'int32'));
    for (const place of [1, 2]) {
      angles = sum(angles, this.#digit(tf.mod(rest, tf.scalar(RADIX, 'int32')), place));
      rest = tf.floorDiv(rest, tf.scalar(RADIX, 'int32'));
    }
    return angles;
  }

  #digit(digits: tf.Tensor, place: number): Angles {
    const half = this.frequencies.length;
    // The product of the digits has the magnitude once.
    this.#digitTables[place] ??= this.#table(RADIX, RADIX ** place, place === 0 ? this.magnitude : 1);
    const table = tf.tensor2d(this.#digitTables[place], [RADIX, 2 * half]);
    const [cos, sin] = tf.split(tf.gather(table, digits), 2, -1) as [tf.Tensor, tf.Tensor];
    return { cos, sin };
  }

  /** Row r: cosines, then sines, of r · step. */
  #table(rows: number, step: number, magnitude: number): Float32Array {
    const half = this.frequencies.length;
    const table = new Float32Array(rows * 2 * half);
    for (let row = 0; row < rows; row++) {
      for (let index = 0; index < half; index++) {
        const angle = row * step * this.frequencies[index]!;
        table[row * 2 * half + index] = magnitude * Math.cos(angle);
        table[row * 2 * half + half + index] = magnitude * Math.sin(angle);
      }
    }
    return table;
  }
}

function columns(table: Float32Array, rows: number, half: number, from: number): NDArray {
  const values = new Float32Array(rows * half);
  for (let row = 0; row < rows; row++) {
    values.set(table.subarray(row * 2 * half + from, row * 2 * half + from + half), row * half);
  }
  return ndarray(values, [rows, half]);
}

/** Angle sum formulas. */
function sum(a: Angles, b: Angles): Angles {
  return {
    cos: tf.sub(tf.mul(a.cos, b.cos), tf.mul(a.sin, b.sin)),
    sin: tf.add(tf.mul(a.sin, b.cos), tf.mul(a.cos, b.sin)),
  };
}
