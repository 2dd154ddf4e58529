import { BLOCK_ROWS, type Projected, type Projector, project } from '../coders/projection.js';
import { decodedRows, type LinearCoder, type VectorCoder } from '../coders/vector-coder.js';
import type { KakeyaConfig } from '../config.js';
import { expectFiniteRows } from '../linalg/checks.js';
import { type FloatArray, gram, type Matrix, matrix, rowOf, timesTransposed } from '../linalg/matrix.js';
import { relativeError, unscaledRows } from './field-scaling.js';
import type { SetState } from './kakeya-set.js';
import type { CompressedVec } from './record.js';
import { denseRows, sparseCodes } from './sparse-codec.js';

type Header = Pick<CompressedVec, 'relErr' | 'fieldRelErr'>;

/** Squared errors below this share of a squared length are lost in the rounding of the sums whose difference they are. */
const LOST = 1e-9;
/** Largest rank whose products of basis rows are kept. */
const MOST_PRODUCTS = 256;

/** Rows to records for one state of a set, a block of rows at a time. */
export class BatchEncoder {
  readonly #setIdx: number;
  readonly #state: SetState;
  readonly #config: KakeyaConfig;
  readonly #isWhole: boolean;
  /** B Bᵀ: rounded basis rows are not quite orthonormal. */
  #products: Matrix | null = null;

  constructor(setIdx: number, state: SetState, config: KakeyaConfig) {
    this.#setIdx = setIdx;
    this.#state = state;
    this.#config = config;
    const { slices, skeleton } = state;
    this.#isWhole = slices.length === 1 && slices[0]![0] === 0 && slices[0]![1] === skeleton.basis.cols;
  }

  /** Records of rows [n, D]. Throws on numbers that are not finite. */
  encode(vecs: Matrix): CompressedVec[] {
    const { coder } = this.#state;
    if (coder !== null && !isLinear(coder)) return this.#encodeWith(coder, vecs);
    const { basis, mean } = coder ?? this.#state.skeleton;
    const projector = { basis, mean, scale: this.#state.scale };
    const records: CompressedVec[] = [];
    for (let from = 0; from < vecs.rows; from += BLOCK_ROWS) {
      const to = Math.min(from + BLOCK_ROWS, vecs.rows);
      const rows = matrix(to - from, vecs.cols, vecs.data.subarray(from * vecs.cols, to * vecs.cols));
      const projected = project(rows, projector);
      if (!projected.energies.every(Number.isFinite)) this.#expectFinite(vecs);
      if (coder === null) this.#addSparse(records, rows, projected, projector);
      else this.#addCoded(records, rows, projected, projector, coder);
    }
    return records;
  }

  #expectFinite(vecs: Matrix): void {
    expectFiniteRows(vecs, `Kakeya set ${this.#setIdx}, encode`);
  }

  #addSparse(records: CompressedVec[], rows: Matrix, projected: Projected, projector: Projector): void {
    const { skeleton, epoch } = this.#state;
    const codes = sparseCodes(projected.coefficients, skeleton, this.#config);
    const headers = this.#headers(rows, projected, denseRows(codes, skeleton), projector);
    const setIdx = this.#setIdx;
    for (let i = 0; i < codes.length; i++) {
      const { segId, alpha, t, residualVals, residualIdx } = codes[i]!;
      const { relErr, fieldRelErr } = headers[i]!;
      // Written out: copying members of one object into another takes longer than all the rest.
      records.push({
        kind: 'sparse',
        segId,
        alpha,
        t,
        residualVals,
        residualIdx,
        setIdx,
        epoch,
        relErr,
        fieldRelErr,
      });
    }
  }

  #addCoded(
    records: CompressedVec[],
    rows: Matrix,
    projected: Projected,
    projector: Projector,
    coder: LinearCoder,
  ): void {
    const { codes, decoded } = coder.encodeCoefficients(projected.coefficients);
    const headers = this.#headers(rows, projected, decoded, projector);
    const [setIdx, epoch] = [this.#setIdx, this.#state.epoch];
    for (let i = 0; i < codes.length; i++) {
      const { relErr, fieldRelErr } = headers[i]!;
      records.push({ kind: 'bytes', bytes: codes[i]!, setIdx, epoch, relErr, fieldRelErr });
    }
  }

  /** With a coder that is no projection: codes, then rows decoded again. */
  #encodeWith(coder: VectorCoder, vecs: Matrix): CompressedVec[] {
    this.#expectFinite(vecs);
    const { scale, epoch } = this.#state;
    const rows = scale === null ? vecs : unscaledRows(vecs, scale);
    const codes = coder.encodeRows(rows);
    const decoded = coder.decodeRows(codes);
    return codes.map((bytes, i) => ({
      kind: 'bytes',
      bytes,
      setIdx: this.#setIdx,
      epoch,
      ...this.#header(rowOf(rows, i), rowOf(decoded, i)),
    }));
  }

  /** @param decoded coefficients that the codes of the rows stand for, [n, r] */
  #headers(
    rows: Matrix,
    { coefficients, energies, spreads }: Projected,
    decoded: Matrix,
    { basis, mean, scale }: Projector,
  ): Header[] {
    const r = basis.rows;
    const scaled = (from: number, to: number) => {
      const some = matrix(to - from, rows.cols, rows.data.subarray(from * rows.cols, to * rows.cols));
      return scale === null ? some : unscaledRows(some, scale);
    };
    const measured = (from: number, to: number) => {
      const codes = matrix(to - from, r, decoded.data.subarray(from * r, to * r));
      const [own, again] = [scaled(from, to), decodedRows(codes, basis, mean)];
      return Array.from({ length: to - from }, (_, i) => this.#header(rowOf(own, i), rowOf(again, i)));
    };
    if (!this.#isWhole || r > MOST_PRODUCTS || 4 * r > 3 * basis.cols) return measured(0, rows.rows);
    // |x - e B|² = |x|² - 2 c . e + e B Bᵀ e, with x the row without the mean, c = B x and e what is decoded of it.
    this.#products ??= gram(basis);
    const turned = timesTransposed(decoded, this.#products);
    const headers: Header[] = [];
    for (let i = 0, at = 0; i < rows.rows; i++) {
      let squared = spreads[i]!;
      for (const end = at + r; at < end; at++) {
        squared += decoded.data[at]! * (turned.data[at]! - 2 * coefficients.data[at]!);
      }
      if (squared > LOST * Math.max(energies[i]!, spreads[i]!)) {
        const relErr = Math.fround(Math.sqrt(squared) / Math.max(Math.sqrt(energies[i]!), 1e-8));
        headers.push({ relErr, fieldRelErr: [relErr] });
      } else headers.push(measured(i, i + 1)[0]!);
    }
    return headers;
  }

  #header(row: FloatArray, decoded: FloatArray): Header {
    const relErr = Math.fround(relativeError(row, decoded));
    if (this.#isWhole) return { relErr, fieldRelErr: [relErr] };
    const ofSlice = ([start, end]: readonly [number, number]) =>
      Math.fround(relativeError(row, decoded, start, end));
    return { relErr, fieldRelErr: this.#state.slices.map(ofSlice) };
  }
}

function isLinear(coder: VectorCoder | LinearCoder): coder is LinearCoder {
  return 'encodeCoefficients' in coder;
}
