function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** Inner products of rows `[..., width]` of two arrays. */
export function rowDots(a: Float32Array | Float64Array, b: typeof a, width: number): number[] {
  return Array.from({ length: a.length / width }, (_, row) =>
    dot(a.subarray(row * width, (row + 1) * width), b.subarray(row * width, (row + 1) * width)),
  );
}
