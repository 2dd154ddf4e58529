import { InputError, type NDArray, ndarray } from '@palimpsest/tensor-core';

/** Least weight of a token. */
const WEIGHT_FLOOR = 0.1;
const SUM_FLOOR = 1e-8;

/**
 * Rows of the input embeddings at unit length.
 * @param table `[vocabulary, width]`
 */
export function normalisedRows(table: NDArray, floor = 1e-8): NDArray<'float32'> {
  const [count, width] = table.shape as [number, number];
  const rows = Float32Array.from(table.data);
  for (let row = 0; row < count; row++) {
    const own = rows.subarray(row * width, (row + 1) * width);
    let squares = 0;
    for (const value of own) squares += value * value;
    const length = Math.max(Math.sqrt(squares), floor);
    for (let i = 0; i < width; i++) own[i] = own[i]! / length;
  }
  return ndarray(rows, [count, width]);
}

/**
 * The weighted mean of the embeddings of a text's tokens; ids that are no token are left out, a token that occurs twice
 * counts twice, and a text without tokens has the zero vector.
 * @param ids one list per text; a flat list stands for one text
 * @param table `[vocabulary, width]`, rows of unit length
 * @param weights one per token of the vocabulary, of which 0.1 is the least; default: all alike
 * @param texts how many texts are expected; default: as many as lists
 * @returns `[texts, width]`
 * @throws InputError when the number of lists is not that of the texts.
 */
export function contentCentroids(
  ids: ArrayLike<number> | readonly ArrayLike<number>[],
  table: NDArray,
  weights?: ArrayLike<number>,
  texts?: number,
): NDArray<'float32'> {
  const lists = isFlat(ids) ? [ids] : ids;
  if (texts !== undefined && lists.length !== texts) {
    throw new InputError(
      isFlat(ids) && texts > 1
        ? `A flat list of token ids stands for one text, but there are ${texts}; give one list for each.`
        : `There are ${lists.length} lists of token ids for ${texts} texts; give one for each.`,
    );
  }
  const width = table.shape[1]!;
  const centroids = new Float32Array(lists.length * width);
  lists.forEach((list, text) => {
    centroids.set(centroid(list, table, weights), text * width);
  });
  return ndarray(centroids, [lists.length, width]);
}

const isFlat = (ids: ArrayLike<number> | readonly ArrayLike<number>[]): ids is ArrayLike<number> =>
  ids.length === 0 || typeof ids[0] === 'number';

function centroid(ids: ArrayLike<number>, table: NDArray, weights?: ArrayLike<number>): Float64Array {
  const [vocabulary, width] = table.shape as [number, number];
  const sum = new Float64Array(width);
  let total = 0;
  for (const id of Array.from(ids)) {
    if (!(id >= 0 && id < vocabulary)) continue;
    const weight = weights ? Math.max(weights[id]!, WEIGHT_FLOOR) : 1;
    for (let i = 0; i < width; i++) sum[i]! += weight * table.data[id * width + i]!;
    total += weight;
  }
  return sum.map((value) => value / Math.max(total, SUM_FLOOR));
}
