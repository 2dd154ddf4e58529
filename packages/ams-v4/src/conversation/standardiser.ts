import { type NDArray, ndarray } from '@palimpsest/tensor-core';

/** Added to a deviation, so that a constant feature stays finite. */
const FLOOR = 1e-3;

/** Means and deviations of features, with which others are brought to mean 0 and deviation 1. */
export class Standardiser {
  constructor(
    /** `[features]` */
    readonly mean: Float32Array,
    /** `[features]` */
    readonly deviation: Float32Array,
  ) {}

  /** @param rows `[rows, features]` */
  static of({ data, shape }: NDArray): Standardiser {
    const [rows, width] = shape as [number, number];
    const mean = new Float64Array(width);
    const squares = new Float64Array(width);
    for (let row = 0; row < rows; row++)
      for (let i = 0; i < width; i++) mean[i]! += data[row * width + i]! / rows;
    for (let row = 0; row < rows; row++) {
      for (let i = 0; i < width; i++) squares[i]! += (data[row * width + i]! - mean[i]!) ** 2 / rows;
    }
    return new Standardiser(Float32Array.from(mean), Float32Array.from(squares, Math.sqrt));
  }

  /** (x − mean) / (deviation + 1e-3), `[rows, features]`. */
  apply({ data, shape }: NDArray): NDArray<'float32'> {
    const width = this.mean.length;
    const standard = Float32Array.from(
      data,
      (value, i) => (value - this.mean[i % width]!) / (this.deviation[i % width]! + FLOOR),
    );
    return ndarray(standard, shape);
  }
}
