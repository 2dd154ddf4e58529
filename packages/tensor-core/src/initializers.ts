import type { Rng } from '@palimpsest/base';
import { InputError, type NDArray, ndarray, sizeOf } from '@palimpsest/base';

/** Normal values of mean 0 and the given standard deviation. */
export const normalInit = (rng: Rng, shape: readonly number[], deviation: number): NDArray<'float32'> =>
  rng.normalArray(shape, 0, deviation);

/** Uniform values in [−bound, bound). */
export const uniformInit = (rng: Rng, shape: readonly number[], bound: number): NDArray<'float32'> =>
  rng.uniformArray(shape, -bound, bound);

/** Inputs and outputs of a weight `[out, in, ...kernel]`. @throws InputError for fewer than two axes. */
function fans(shape: readonly number[]): { fanIn: number; fanOut: number } {
  if (shape.length < 2) {
    throw new InputError(`A weight has at least the axes [out, in], but its shape is [${shape.join(', ')}].`);
  }
  const kernel = sizeOf(shape.slice(2));
  return { fanIn: shape[1]! * kernel, fanOut: shape[0]! * kernel };
}

/** Glorot & Bengio 2010: bound √(6 / (in + out)). */
export function xavierUniform(rng: Rng, shape: readonly number[], gain = 1): NDArray<'float32'> {
  const { fanIn, fanOut } = fans(shape);
  return uniformInit(rng, shape, gain * Math.sqrt(6 / (fanIn + fanOut)));
}

/** Glorot & Bengio 2010: deviation √(2 / (in + out)). */
export function xavierNormal(rng: Rng, shape: readonly number[], gain = 1): NDArray<'float32'> {
  const { fanIn, fanOut } = fans(shape);
  return normalInit(rng, shape, gain * Math.sqrt(2 / (fanIn + fanOut)));
}

/** He et al. 2015: bound gain · √(3 / in); the default gain √2 is that of relu. */
export function kaimingUniform(rng: Rng, shape: readonly number[], gain = Math.SQRT2): NDArray<'float32'> {
  return uniformInit(rng, shape, gain * Math.sqrt(3 / fans(shape).fanIn));
}

/** He et al. 2015: deviation gain / √in; the default gain √2 is that of relu. */
export function kaimingNormal(rng: Rng, shape: readonly number[], gain = Math.SQRT2): NDArray<'float32'> {
  return normalInit(rng, shape, gain / Math.sqrt(fans(shape).fanIn));
}

/**
 * A random matrix with orthonormal rows or columns, whichever are fewer (Saxe et al. 2014): Gram and Schmidt on a
 * Gaussian matrix in float64, which equals a QR decomposition with a positive diagonal of R.
 * @returns `[rows, columns]`
 */
export function orthogonalInit(rng: Rng, rows: number, columns: number, gain = 1): NDArray<'float32'> {
  const [count, width] = rows <= columns ? [rows, columns] : [columns, rows];
  const basis: Float64Array[] = [];
  while (basis.length < count) {
    const candidate = Float64Array.from({ length: width }, () => rng.normal());
    // Twice, because one pass loses orthogonality to rounding.
    for (let pass = 0; pass < 2; pass++) for (const vector of basis) removeComponent(candidate, vector);
    const length = Math.sqrt(candidate.reduce((sum, value) => sum + value * value, 0));
    basis.push(candidate.map((value) => value / length));
  }
  const data = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const value = rows <= columns ? basis[row]![column]! : basis[column]![row]!;
      data[row * columns + column] = gain * value;
    }
  }
  return ndarray(data, [rows, columns]);
}

function removeComponent(target: Float64Array, unit: Float64Array): void {
  let dot = 0;
  for (let i = 0; i < target.length; i++) dot += target[i]! * unit[i]!;
  for (let i = 0; i < target.length; i++) target[i] = target[i]! - dot * unit[i]!;
}
