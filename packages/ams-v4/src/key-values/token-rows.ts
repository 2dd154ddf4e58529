import { type NDArray, ndarray } from '@palimpsest/tensor-core';

/** Rows of tokens at the given places, `[tokens, width]`. */
export function rowsAt({ data, shape }: NDArray, places: readonly number[]): NDArray<'float32'> {
  const width = shape[1]!;
  const rows = new Float32Array(places.length * width);
  places.forEach((place, row) => {
    rows.set(data.slice(place * width, (place + 1) * width), row * width);
  });
  return ndarray(rows, [places.length, width]);
}

/** Rows of several texts, one text behind the other. */
export function joinRows(parts: readonly NDArray[]): NDArray<'float32'> {
  const width = parts[0]!.shape[1]!;
  const rows = new Float32Array(parts.reduce((sum, { data }) => sum + data.length, 0));
  let at = 0;
  for (const { data } of parts) {
    rows.set(data, at);
    at += data.length;
  }
  return ndarray(rows, [rows.length / width, width]);
}
