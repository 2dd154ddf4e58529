/** Float64 rows `[count, width]`, row-major: a population. */
export interface Rows {
  readonly count: number;
  readonly width: number;
  readonly data: Float64Array;
}

export function rows(
  count: number,
  width: number,
  data: Float64Array = new Float64Array(count * width),
): Rows {
  return { count, width, data };
}

export function rowOf({ data, width }: Rows, index: number): Float64Array {
  return data.subarray(index * width, (index + 1) * width);
}

/** sum_i weights_i row_i `[width]`. */
export function weightedSum(
  weights: ArrayLike<number>,
  source: Rows,
  order: ArrayLike<number>,
): Float64Array {
  const sum = new Float64Array(source.width);
  for (let rank = 0; rank < source.count; rank++) {
    const weight = weights[rank]!;
    if (weight === 0) continue;
    const row = rowOf(source, order[rank]!);
    for (let j = 0; j < sum.length; j++) sum[j]! += weight * row[j]!;
  }
  return sum;
}

export function squaredNorm(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return sum;
}

/** Rows times a symmetric matrix `[width, width]`, without a temporary. */
export function timesSymmetric(source: Rows, matrix: Float64Array): Rows {
  const { count, width } = source;
  const result = rows(count, width);
  for (let j = 0; j < width; j++) {
    const column = matrix.subarray(j * width, (j + 1) * width);
    for (let i = 0; i < count; i++) result.data[i * width + j] = dot(source.data, i * width, column);
  }
  return result;
}

/** Four partial sums, so that multiplications overlap. */
function dot(a: Float64Array, from: number, b: Float64Array): number {
  const n = b.length;
  const blocked = n - (n % 4);
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  for (let k = 0; k < blocked; k += 4) {
    s0 += a[from + k]! * b[k]!;
    s1 += a[from + k + 1]! * b[k + 1]!;
    s2 += a[from + k + 2]! * b[k + 2]!;
    s3 += a[from + k + 3]! * b[k + 3]!;
  }
  for (let k = blocked; k < n; k++) s0 += a[from + k]! * b[k]!;
  return s0 + s1 + (s2 + s3);
}
