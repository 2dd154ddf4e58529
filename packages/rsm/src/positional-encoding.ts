import { InputError, tf } from '@palimpsest/tensor-core';

/**
 * Sinusoids of positions 0 to rows - 1 (Vaswani et al. 2017): column 2i is sin(p w_i), column 2i + 1 is cos(p w_i), with
 * w_i = exp(-2i ln(10000) / width).
 * @returns [rows, width], in float64 rounded to float32.
 * @throws InputError for an odd width.
 */
export function positionTable(rows: number, width: number): Float32Array {
  if (width % 2 !== 0) {
    throw new InputError(
      `Sines and cosines come in pairs, so that a position table needs an even width, but ${width} was given.`,
    );
  }
  const table = new Float32Array(rows * width);
  for (let pair = 0; pair < width / 2; pair++) {
    const speed = Math.exp((-2 * pair * Math.log(10_000)) / width);
    for (let position = 0; position < rows; position++) {
      table[position * width + 2 * pair] = Math.sin(position * speed);
      table[position * width + 2 * pair + 1] = Math.cos(position * speed);
    }
  }
  return table;
}

/**
 * Looks positions up.
 * @param positions int32 [...]
 * @param rows length of the table. Default 5000
 * @returns [..., width]
 */
export function positionalEncoding(positions: tf.Tensor, width: number, rows = 5000): tf.Tensor {
  return tf.gather(tf.tensor2d(positionTable(rows, width), [rows, width]), positions);
}

/** The first rows of the table, [time, width]. */
export function firstPositions(time: number, width: number): tf.Tensor2D {
  return tf.tensor2d(positionTable(time, width), [time, width]);
}
