/** Real numbers in either precision. Complex values are stored in them as `[re, im, re, im, …]`. */
export type FloatArray = Float32Array | Float64Array;

/** A zeroed array of the precision of `model`. */
export function zerosLike<T extends FloatArray>(model: T, length: number): T {
  return (model instanceof Float32Array ? new Float32Array(length) : new Float64Array(length)) as T;
}

/** Whether two arrays hold the same values. */
export function sameValues(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  return a.length === b.length && firstDifference(a, b) < 0;
}

/** The first element in which two arrays of one length differ, or -1. */
export function firstDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return i;
  return -1;
}
