import { GatherMap } from './gather-map.js';

/** Row and column of the entries of a triangle, row by row. */
export interface TriangleIndices {
  readonly rows: Int32Array;
  readonly columns: Int32Array;
}

function indices(
  size: number,
  firstColumn: (row: number) => number,
  end: (row: number) => number,
): TriangleIndices {
  const rows: number[] = [];
  const columns: number[] = [];
  for (let row = 0; row < size; row++) {
    for (let column = firstColumn(row); column < end(row); column++) {
      rows.push(row);
      columns.push(column);
    }
  }
  return { rows: Int32Array.from(rows), columns: Int32Array.from(columns) };
}

/** (0,0), (1,0), (1,1), (2,0), … */
export const lowerTriangle = (size: number) =>
  indices(
    size,
    () => 0,
    (row) => row + 1,
  );

/** (0,0), (0,1), …, (0,size-1), (1,1), … */
export const upperTriangle = (size: number) =>
  indices(
    size,
    (row) => row,
    () => size,
  );

/** The upper triangle without its diagonal. */
export const strictUpperTriangle = (size: number) =>
  indices(
    size,
    (row) => row + 1,
    () => size,
  );

function cached(build: (size: number) => GatherMap): (size: number) => GatherMap {
  const cache = new Map<number, GatherMap>();
  return (size) => {
    let map = cache.get(size);
    if (!map) {
      map = build(size);
      cache.set(size, map);
    }
    return map;
  };
}

/** Maps d(d+1)/2 lower-triangle entries to a flattened d x d matrix with zeros above the diagonal. */
export const fillLowerTriangle = cached((size) => {
  const { rows, columns } = lowerTriangle(size);
  const source = new Int32Array(size * size).fill(-1);
  rows.forEach((row, entry) => {
    source[row * size + columns[entry]!] = entry;
  });
  return new GatherMap(rows.length, source);
});

/** Maps a flattened d x d matrix to its upper triangle. */
export const takeUpperTriangle = cached((size) => {
  const { rows, columns } = upperTriangle(size);
  return new GatherMap(
    size * size,
    rows.map((row, entry) => row * size + columns[entry]!),
  );
});

/**
 * Maps F(F-1)/2 entries above the diagonal to a flattened antisymmetric F x F matrix. Its adjoint takes a matrix R to
 * R_ij - R_ji above the diagonal.
 */
export const fillAntisymmetric = cached((size) => {
  const { rows, columns } = strictUpperTriangle(size);
  const source = new Int32Array(size * size).fill(-1);
  const sign = new Float32Array(size * size);
  rows.forEach((row, entry) => {
    const column = columns[entry]!;
    source[row * size + column] = entry;
    sign[row * size + column] = 1;
    source[column * size + row] = entry;
    sign[column * size + row] = -1;
  });
  return new GatherMap(rows.length, source, sign);
});
