import { addScaledRow, dotAt, type Matrix, rowOf } from './matrix.js';

/**
 * Makes the entry of largest magnitude of every row positive (lowest index on ties): a decomposition leaves the
 * sign of each basis row free, and saved skeletons should not depend on that choice.
 */
export function canonicaliseSigns(basis: Matrix): void {
  for (let i = 0; i < basis.rows; i++) {
    const row = rowOf(basis, i);
    let largest = 0;
    for (let j = 1; j < row.length; j++) if (Math.abs(row[j]!) > Math.abs(row[largest]!)) largest = j;
    if (row[largest]! < 0) for (let j = 0; j < row.length; j++) row[j] = -row[j]!;
  }
}

/** Removes from row `index` its part in the span of the rows before it, and scales it to length 1 if any is left. */
export function orthonormaliseRow(basis: Matrix, index: number): number {
  const row = rowOf(basis, index);
  // A second pass removes what rounding left of the first ("twice is enough", Kahan and Parlett).
  for (let pass = 0; pass < 2; pass++) {
    for (let k = 0; k < index; k++) {
      addScaledRow(row, basis, k, -dotAt(basis.data, k * basis.cols, row, 0, basis.cols));
    }
  }
  const length = Math.sqrt(dotAt(row, 0, row, 0, row.length));
  if (length > 1e-12) for (let j = 0; j < row.length; j++) row[j] = row[j]! / length;
  return length;
}

/**
 * Fills row `index` with the unit coordinate vector that the earlier rows cover least, made perpendicular to them.
 * Used where the data have no further direction: any choice is arbitrary, this one is deterministic.
 */
export function completeRow(basis: Matrix, index: number): void {
  const covered = new Float64Array(basis.cols);
  for (let k = 0; k < index; k++) {
    for (let j = 0; j < basis.cols; j++) covered[j]! += basis.data[k * basis.cols + j]! ** 2;
  }
  let least = 0;
  for (let j = 1; j < basis.cols; j++) if (covered[j]! < covered[least]! - 1e-12) least = j;
  const row = rowOf(basis, index);
  row.fill(0);
  row[least] = 1;
  orthonormaliseRow(basis, index);
}
