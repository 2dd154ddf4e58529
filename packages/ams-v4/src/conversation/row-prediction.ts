import { floatsToHalves, halvesToFloats } from '@palimpsest/base';
import { computePca, type Matrix, matrix, ridgeMap } from '@palimpsest/kakeya';
import { type NDArray, ndarray } from '@palimpsest/tensor-core';
import type { RowTokens } from './row-codec.js';

/** Numbers that are read of a token at most: along the directions in which the tokens of the corpus differ most. */
const MOST_FEATURES = 128;
/** What the ridge regression adds, as a share of the mean square of the features. */
const RIDGE = 1e-2;
/** Numbers that products with tokens may fill, so that tokens that come again cost no product: 16 MB. */
const KEPT_PRODUCTS = 4e6;

/** Rows of a map that are read at once. */
const ROWS_AT_ONCE = 4;
/** Columns that are learned at once, so that few of a wide model's are in float64. */
const COLUMNS_AT_ONCE = 1024;

/** A prediction as it is saved. */
export interface RowMaps {
  /** Directions that are read of a wide embedding, `[features, modelWidth]`; absent where all of it is. */
  readonly reading?: NDArray | undefined;
  /** `[features, context · width]`: of a token itself, of the one before it, … */
  readonly map: NDArray;
  /** What is predicted where nothing is read, `[width]`. */
  readonly offset: NDArray;
}

/**
 * What the tokens of a text tell of their keys and values: a linear map of the embeddings of a token and of those before it
 * (DERIVATION.md, "Key and value memory").
 */
export class RowPrediction {
  readonly #products = new Map<number, Float32Array>();
  readonly #context: number;
  readonly #map: Float32Array;

  constructor(
    readonly maps: RowMaps,
    /** Token embeddings at unit length, `[vocabulary, modelWidth]`. */
    private readonly embeddings: NDArray,
  ) {
    this.#context = maps.map.shape[1]! / maps.offset.shape[0]!;
    this.#map = Float32Array.from(maps.map.data);
  }

  /** Predicted keys and values of the tokens that are kept, one text behind the other, `[tokens · width]`. */
  rowsOf(tokens: readonly RowTokens[]): Float32Array {
    const { offset } = this.maps;
    const width = offset.shape[0]!;
    const rows = new Float32Array(width * tokens.reduce((sum, { places }) => sum + places.length, 0));
    let at = 0;
    for (const { ids, places } of tokens) {
      for (const place of places) {
        const row = rows.subarray(at, at + width);
        row.set(offset.data);
        for (let back = 0; back < this.#context && back <= place; back++) {
          addFrom(row, this.#productOf(ids[place - back]!), back * width);
        }
        at += width;
      }
    }
    return rows;
  }

  /** What a token tells of itself and of those behind it; the latest that were asked for are kept. */
  #productOf(id: number): Float32Array {
    const known = this.#products.get(id);
    if (known) return known;
    const columns = this.maps.map.shape[1]!;
    const product = timesMap(featuresOf(this.embeddings, this.maps.reading, id), this.#map, columns);
    const [oldest] = this.#products.keys();
    if (oldest !== undefined && (this.#products.size + 1) * columns > KEPT_PRODUCTS)
      this.#products.delete(oldest);
    this.#products.set(id, product);
    return product;
  }
}

/**
 * Learns what tokens tell of their keys and values, by ridge regression.
 * @param embeddings at unit length, `[vocabulary, modelWidth]`
 * @param rows of the tokens that are kept, `[tokens, width]`
 * @param tokens of the texts that they are of
 * @param context tokens that are read, one and those before it
 */
export function learnPrediction(
  embeddings: NDArray,
  rows: NDArray,
  tokens: readonly RowTokens[],
  context: number,
): RowMaps {
  const [count, width] = rows.shape as [number, number];
  const reading = readingOf(embeddings, tokens);
  const features = reading?.shape[0] ?? embeddings.shape[1]!;
  const read = matrix(count, context * features);
  let row = 0;
  for (const { ids, places } of tokens) {
    for (const place of places) {
      for (let back = 0; back < context && back <= place; back++) {
        const at = (row * context + back) * features;
        read.data.set(featuresOf(embeddings, reading, ids[place - back]!), at);
      }
      row += 1;
    }
  }
  const map = new Float32Array(features * context * width);
  const offset = new Float32Array(width);
  for (let from = 0; from < width; from += COLUMNS_AT_ONCE) {
    const wanted = columns(rows, from, Math.min(width, from + COLUMNS_AT_ONCE));
    const learned = ridgeMap(read, wanted, RIDGE);
    offset.set(offsetOf(read, wanted, learned), from);
    placeParts(map, learned, { context, width, from });
  }
  return {
    map: ndarray(rounded(map), [features, context * width]),
    offset: ndarray(offset, [width]),
    reading,
  };
}

function columns({ data, shape }: NDArray, from: number, end: number): Matrix<Float64Array> {
  const [rows, width] = shape as [number, number];
  const part = matrix(rows, end - from);
  for (let row = 0; row < rows; row++) {
    part.data.set(data.slice(row * width + from, row * width + end), row * part.cols);
  }
  return part;
}

/** Features times the rows of a map, four rows at a time, so that each sum is loaded and stored a quarter as often. */
function timesMap(features: Float32Array, map: Float32Array, columns: number): Float32Array {
  const product = new Float32Array(columns);
  const valueAt = (feature: number) => features[feature] ?? 0;
  for (let feature = 0; feature < features.length; feature += ROWS_AT_ONCE) {
    const [a, b, c, d] = [valueAt(feature), valueAt(feature + 1), valueAt(feature + 2), valueAt(feature + 3)];
    const first = feature * columns;
    // Rows behind the last one count nothing.
    const rowAt = (row: number) => Math.min(first + row * columns, map.length - columns);
    const [second, third, fourth] = [rowAt(1), rowAt(2), rowAt(3)];
    for (let i = 0; i < columns; i++) {
      product[i]! += a * map[first + i]! + b * map[second + i]! + c * map[third + i]! + d * map[fourth + i]!;
    }
  }
  return product;
}

function addFrom(row: Float32Array, product: Float32Array, from: number): void {
  for (let i = 0; i < row.length; i++) row[i]! += product[from + i]!;
}

/** What is read of a token: its embedding, or where that is wide its part along some directions. */
function featuresOf({ data, shape }: NDArray, reading: NDArray | undefined, id: number): Float32Array {
  const modelWidth = shape[1]!;
  const own = Float32Array.from(data.slice(id * modelWidth, (id + 1) * modelWidth));
  if (!reading) return own;
  return Float32Array.from({ length: reading.shape[0]! }, (_, feature) => {
    let sum = 0;
    for (let i = 0; i < modelWidth; i++) sum += reading.data[feature * modelWidth + i]! * own[i]!;
    return sum;
  });
}

/** The directions in which the tokens of texts differ most, where embeddings have more numbers than are read. */
function readingOf(embeddings: NDArray, tokens: readonly RowTokens[]): NDArray | undefined {
  const modelWidth = embeddings.shape[1]!;
  if (modelWidth <= MOST_FEATURES) return undefined;
  const ids = [...new Set(tokens.flatMap((text) => text.ids))];
  const own = matrix(ids.length, modelWidth);
  ids.forEach((id, row) => {
    own.data.set(featuresOf(embeddings, undefined, id), row * modelWidth);
  });
  const { basis } = computePca(own, 1, { rankRule: 'numerical' });
  const features = Math.min(MOST_FEATURES, basis.rows);
  return ndarray(rounded(basis.data.subarray(0, features * modelWidth)), [features, modelWidth]);
}

/** Puts columns of a map `[context · features, columns]` into one of `[features, context · width]`, in which a token has all its parts in a row. */
function placeParts(
  map: Float32Array,
  { data, rows, cols }: Matrix,
  { context, width, from }: { context: number; width: number; from: number },
): void {
  const features = rows / context;
  for (let back = 0; back < context; back++) {
    for (let feature = 0; feature < features; feature++) {
      const at = (back * features + feature) * cols;
      map.set(data.subarray(at, at + cols), (feature * context + back) * width + from);
    }
  }
}

/** mean(wanted) − mean(read) · map: the regression is on what differs from the means. */
function offsetOf(read: Matrix, wanted: Matrix, map: Matrix): Float64Array {
  const offset = meanRow(wanted);
  meanRow(read).forEach((value, row) => {
    for (let i = 0; i < offset.length; i++) offset[i]! -= value * map.data[row * offset.length + i]!;
  });
  return offset;
}

function meanRow({ data, rows, cols }: Matrix): Float64Array {
  const mean = new Float64Array(cols);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < cols; i++) mean[i]! += data[row * cols + i]! / rows;
  }
  return mean;
}

/** Numbers as a file keeps them, in half precision. */
const rounded = (values: ArrayLike<number>): Float32Array =>
  halvesToFloats(floatsToHalves(Float32Array.from(values)));
