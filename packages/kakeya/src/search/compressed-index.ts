import { expect } from '../errors.js';
import { expectInteger, expectVector } from '../linalg/checks.js';
import { dot, type FloatArray, norm, timesVector } from '../linalg/matrix.js';
import { rescale, unscaled } from '../set/field-scaling.js';
import type { KakeyaSet, SetState } from '../set/kakeya-set.js';
import {
  type CodedVec,
  type CompressedVec,
  denseCoefficients,
  type SparseCode,
  type SparseVec,
} from '../set/record.js';
import { type Skeleton, skeletonFrom } from '../set/skeleton.js';
import { type CodeRows, SeparateRows } from './code-rows.js';

export type SearchMetric = 'dot' | 'cosine';

export interface SearchHit {
  readonly id: number;
  readonly score: number;
}

/** Sparse codes as a struct of arrays that doubles when full. */
class SparseColumns {
  segId = new Int32Array(0);
  alpha = new Float32Array(0);
  t = new Float32Array(0);
  residualIdx = new Int32Array(0);
  residualVals = new Float32Array(0);
  readonly #dRes: number;

  constructor(dRes: number) {
    this.#dRes = dRes;
  }

  set(row: number, code: SparseCode): void {
    if (row >= this.segId.length) this.#grow(Math.max(16, 2 * row));
    this.segId[row] = code.segId;
    this.alpha[row] = code.alpha;
    this.t[row] = code.t;
    this.residualIdx.set(code.residualIdx, row * this.#dRes);
    this.residualVals.set(code.residualVals, row * this.#dRes);
  }

  move(from: number, to: number): void {
    this.segId[to] = this.segId[from]!;
    this.alpha[to] = this.alpha[from]!;
    this.t[to] = this.t[from]!;
    const start = from * this.#dRes;
    this.residualIdx.copyWithin(to * this.#dRes, start, start + this.#dRes);
    this.residualVals.copyWithin(to * this.#dRes, start, start + this.#dRes);
  }

  #grow(rows: number): void {
    const grown = <A extends Float32Array | Int32Array>(fresh: A, old: A): A => {
      fresh.set(old);
      return fresh;
    };
    this.segId = grown(new Int32Array(rows), this.segId);
    this.alpha = grown(new Float32Array(rows), this.alpha);
    this.t = grown(new Float32Array(rows), this.t);
    this.residualIdx = grown(new Int32Array(rows * this.#dRes), this.residualIdx);
    this.residualVals = grown(new Float32Array(rows * this.#dRes), this.residualVals);
  }
}

/**
 * Exact search over the decoded vectors of one set without decoding them (DERIVATION.md, "Search without decoding"). A sparse record costs 2 + dRes
 * multiply-adds per query instead of D; a byte record one pass over its coefficients. Norms are kept from `add`.
 */
export class CompressedIndex {
  readonly #set: KakeyaSet | null;
  readonly #state: SetState;
  readonly #columns: SparseColumns;
  /** Codes of a byte coder, or null. */
  readonly #codes: CodeRows | null;
  readonly #ids: number[] = [];
  readonly #norms: number[] = [];
  readonly #rowOfId = new Map<number, number>();

  /** Over a built set, or over a bare skeleton of sparse records. */
  constructor(source: KakeyaSet | Skeleton) {
    if ('basis' in source) {
      const skeleton = skeletonFrom(source);
      this.#set = null;
      this.#state = { skeleton, coder: null, scale: null, slices: [[0, skeleton.basis.cols]], epoch: 0 };
    } else {
      expect(source.state !== null, () => 'A compressed index needs a built set; call build first.');
      this.#set = source;
      this.#state = source.state;
    }
    this.#columns = new SparseColumns(this.#state.skeleton.dRes);
    const { coder } = this.#state;
    this.#codes = coder && (coder.rows?.() ?? new SeparateRows(coder));
  }

  get size(): number {
    return this.#ids.length;
  }

  /** Adds or replaces a record. Throws on a record that the set cannot decode; the index is then as it was. */
  add(id: number, record: CompressedVec | SparseCode): void {
    const length = this.#normOf(record);
    const row = this.#rowOfId.get(id) ?? this.#ids.length;
    if (this.#codes) this.#codes.set(row, (record as CodedVec).bytes);
    else this.#columns.set(row, record as SparseCode);
    this.#ids[row] = id;
    this.#norms[row] = length;
    this.#rowOfId.set(id, row);
  }

  /** True if the id was there. The last row takes its place. */
  remove(id: number): boolean {
    const row = this.#rowOfId.get(id);
    if (row === undefined) return false;
    const last = this.#ids.length - 1;
    (this.#codes ?? this.#columns).move(last, row);
    this.#ids[row] = this.#ids[last]!;
    this.#norms[row] = this.#norms[last]!;
    this.#rowOfId.set(this.#ids[row]!, row);
    this.#rowOfId.delete(id);
    this.#ids.length = last;
    this.#norms.length = last;
    return true;
  }

  /**
   * The k best ids by dot product with, or cosine to, the decoded vectors, best first, ties to the earlier row. A zero
   * vector has cosine 0. Throws on a query of another width, non-finite numbers or k < 1.
   */
  search(query: FloatArray, k: number, options: { metric?: SearchMetric } = {}): SearchHit[] {
    expectInteger(k, 1, 'k of a search');
    const scores = this.scores(query, options);
    return Array.from(largest(scores, k), (row) => ({ id: this.#ids[row]!, score: scores[row]! }));
  }

  /** Scores of all rows in the order of {@link ids}. q . (scale * decoded) = (q * scale) . decoded: the query is scaled once. */
  scores(query: FloatArray, options: { metric?: SearchMetric } = {}): Float64Array {
    expectVector(query, this.#state.skeleton.basis.cols, 'The query of a search');
    const scaledQuery = rescale(Float64Array.from(query), this.#state.scale);
    const count = this.#ids.length;
    const scores = this.#codes?.scores(scaledQuery, count) ?? this.#sparseScores(scaledQuery, count);
    if (options.metric !== 'cosine') return scores;
    const length = Math.max(norm(Float64Array.from(query)), 1e-12);
    return scores.map((value, row) => (this.#norms[row]! > 1e-12 ? value / (length * this.#norms[row]!) : 0));
  }

  /** Ids in row order. */
  get ids(): readonly number[] {
    return this.#ids;
  }

  /** A sparse record takes 2 + dRes products with what is prepared here. */
  #sparseScores(query: Float64Array, count: number): Float64Array {
    const { skeleton } = this.#state;
    const { segId, alpha, t, residualIdx, residualVals } = this.#columns;
    const { dRes } = skeleton;
    const projected = timesVector(skeleton.basis, query);
    const constant = dot(query, Float64Array.from(skeleton.mean));
    const alongT = dot(projected, Float64Array.from(skeleton.tDir));
    const alongCenters = timesVector(skeleton.centers, projected);
    const scores = new Float64Array(count);
    for (let row = 0, j = 0; row < count; row++) {
      let sum = constant + alpha[row]! * alongT + t[row]! * alongCenters[segId[row]!]!;
      for (const end = j + dRes; j < end; j++) sum += residualVals[j]! * projected[residualIdx[j]!]!;
      scores[row] = sum;
    }
    return scores;
  }

  /** |decoded|; also the check that the record belongs here. */
  #normOf(record: CompressedVec | SparseCode): number {
    if (this.#set !== null) return norm(this.#set.decode(record as CompressedVec));
    return decodedNorm(record as SparseVec, this.#state.skeleton);
  }
}

/** Rows of the k largest scores, descending, ties to the earlier row. */
function largest(scores: Float64Array, k: number): number[] {
  const kept: number[] = [];
  for (let row = 0; row < scores.length; row++) {
    const score = scores[row]!;
    if (kept.length >= k && score <= scores[kept.at(-1)!]!) continue;
    let [low, high] = [0, kept.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (scores[kept[middle]!]! >= score) low = middle + 1;
      else high = middle;
    }
    if (kept.length >= k) kept.pop();
    kept.splice(low, 0, row);
  }
  return kept;
}

/** |decoded| from coefficients c alone: |mean|^2 + 2 c . (B mean) + |c|^2, for an orthonormal basis. */
export function decodedNorm(code: SparseCode, skeleton: Skeleton): number {
  const c = denseCoefficients(code, skeleton);
  const mean = unscaled(skeleton.mean, null);
  const squared = dot(mean, mean) + 2 * dot(c, timesVector(skeleton.basis, mean)) + dot(c, c);
  return Math.sqrt(Math.max(squared, 0));
}
