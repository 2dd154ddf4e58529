import { type FloatArray, type Matrix, matrix } from './matrix.js';

/** Rows of a block without the mean, with the squared length of each before and after. */
export interface CentredBlock {
  readonly rows: Matrix<Float64Array>;
  /** |x|², of scaled rows. */
  readonly energies: Float64Array;
  /** |x - mean|². */
  readonly spreads: Float64Array;
}

/** Rows per block: what is computed of them stays near the processor until it is used. */
export const BLOCK_ROWS = 128;

/**
 * Rows x [n, D] divided by the scale, if there is one, less the mean. `room` keeps them. An energy that is not finite says that a number is not, or nearly.
 */
export function centredBlock(
  x: Matrix,
  scale: Float32Array | null,
  mean: FloatArray,
  room: Float64Array,
): CentredBlock {
  const { cols, rows: count } = x;
  const [energies, spreads] = [new Float64Array(count), new Float64Array(count)];
  for (let row = 0, at = 0; row < count; row++) {
    // Two sums each, as one would wait for itself.
    let [energy, spread, moreEnergy, moreSpread] = [0, 0, 0, 0];
    let j = 0;
    for (; j + 1 < cols; j += 2, at += 2) {
      const first = scale === null ? x.data[at]! : x.data[at]! / scale[j]!;
      const second = scale === null ? x.data[at + 1]! : x.data[at + 1]! / scale[j + 1]!;
      energy += first * first;
      moreEnergy += second * second;
      const [firstRest, secondRest] = [first - mean[j]!, second - mean[j + 1]!];
      room[at] = firstRest;
      room[at + 1] = secondRest;
      spread += firstRest * firstRest;
      moreSpread += secondRest * secondRest;
    }
    if (j < cols) {
      const last = scale === null ? x.data[at]! : x.data[at]! / scale[j]!;
      energy += last * last;
      room[at] = last - mean[j]!;
      spread += room[at]! ** 2;
      at += 1;
    }
    energies[row] = energy + moreEnergy;
    spreads[row] = spread + moreSpread;
  }
  return { rows: matrix(count, cols, room.subarray(0, count * cols)), energies, spreads };
}
