import { type NDArray, ndarray } from '@palimpsest/tensor-core';

/** Rows of equally many ids, int32 `[rows, time]`. */
export function stackedIds(rows: readonly Int32Array[]): NDArray {
  const time = rows[0]!.length;
  const data = new Int32Array(rows.length * time);
  for (const [i, row] of rows.entries()) data.set(row, i * time);
  return ndarray(data, [rows.length, time], 'int32');
}
