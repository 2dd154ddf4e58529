import { Mt19937 } from '../../src/index.js';

/** Independent standard normal values (Box & Muller), fixed by the seed. */
export function normals(count: number, seed: number, deviation = 1): Float64Array {
  const generator = new Mt19937(seed);
  return Float64Array.from({ length: count }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - generator.nextUniform()));
    return deviation * radius * Math.cos(2 * Math.PI * generator.nextUniform());
  });
}

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

export const norm = (a: ArrayLike<number>): number => Math.sqrt(dot(a, a));

export function unit(a: Float64Array): Float64Array {
  const length = norm(a);
  return a.map((value) => value / length);
}

export function meanAndVariance(values: ArrayLike<number>): { mean: number; variance: number } {
  const count = values.length;
  let mean = 0;
  for (let i = 0; i < count; i++) mean += values[i]! / count;
  let variance = 0;
  for (let i = 0; i < count; i++) variance += (values[i]! - mean) ** 2 / (count - 1);
  return { mean, variance };
}

/** (mean − truth) / (sd / √N), with the sample's own deviation unless the exact variance is known. */
export function zScore(values: ArrayLike<number>, truth: number, exactVariance?: number): number {
  const { mean, variance } = meanAndVariance(values);
  return (mean - truth) / Math.sqrt((exactVariance ?? variance) / values.length);
}

/** Largest |a − b|, relative to the largest |b|. */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let difference = 0;
  let magnitude = 0;
  for (let i = 0; i < b.length; i++) {
    difference = Math.max(difference, Math.abs(a[i]! - b[i]!));
    magnitude = Math.max(magnitude, Math.abs(b[i]!));
  }
  return magnitude === 0 ? difference : difference / magnitude;
}
