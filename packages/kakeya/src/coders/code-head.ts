import { expect } from '../errors.js';
import { bestColumns, nearestCentroids } from '../linalg/kmeans.js';
import {
  dotAt,
  type FloatArray,
  type Matrix,
  norm,
  rowOf,
  timesTransposed,
  timesVector,
} from '../linalg/matrix.js';
import type { PackedRows } from '../search/code-rows.js';
import { perpendicularRows, ZERO_PERP } from '../set/skeleton.js';
import type { BitReader, BitWriter } from './bit-stream.js';
import { type CodeLayout, layoutBits, quantise, segmentBits } from './transform-state.js';

interface HeadParts {
  readonly layout: CodeLayout;
  /** [r]. */
  readonly tDir: FloatArray;
  /** [K, r]. */
  readonly centers: Matrix;
  readonly residualMean: FloatArray;
  /** Steps of alpha and tau. */
  readonly scales: FloatArray;
}

/** Whole numbers of the heads of n codes; `qAlpha` and `qTau` are 0 in the "centroids" layout. */
export interface Heads {
  readonly segments: Int32Array;
  readonly qAlpha: Int32Array;
  readonly qTau: Int32Array;
}

/** The part of a code that says which center a vector lies near, and how far along. */
export class CodeHead {
  readonly #parts: HeadParts;
  readonly #width: number;

  constructor(parts: HeadParts) {
    this.#parts = parts;
    this.#width = segmentBits(parts.centers.rows);
  }

  /** Bits of a head. */
  get bits(): number {
    return layoutBits(this.#parts.layout, this.#parts.centers.rows);
  }

  /** Heads of PCA coefficients [n, r]. */
  choose(coefficients: Matrix): Heads {
    const { layout, tDir, centers, scales } = this.#parts;
    const n = coefficients.rows;
    const [qAlpha, qTau] = [new Int32Array(n), new Int32Array(n)];
    if (layout === 'centroids') {
      return { segments: nearestCentroids(coefficients, centers), qAlpha, qTau };
    }
    const { perp, alphas } = perpendicularRows(coefficients, tDir);
    for (let i = 0; i < n; i++) qAlpha[i] = quantise(alphas[i]!, scales[0]!);
    const along = timesTransposed(perp, centers);
    const segments = bestColumns(along);
    for (let i = 0; i < n; i++) {
      if (norm(rowOf(perp, i)) <= ZERO_PERP) segments[i] = 0;
      qTau[i] = quantise(along.data[i * centers.rows + segments[i]!]!, scales[1]!);
    }
    return { segments, qAlpha, qTau };
  }

  /** Writes one head. */
  write(writer: BitWriter, { segments, qAlpha, qTau }: Heads, i: number): void {
    writer.write(segments[i]!, this.#width);
    if (this.#parts.layout === 'centroids') return;
    writer.write(qAlpha[i]! + 128, 8);
    writer.write(qTau[i]! + 128, 8);
  }

  /** Reads one head into place i. @throws for a center that is not there. */
  read(reader: BitReader, { segments, qAlpha, qTau }: Heads, i: number): void {
    const { layout, centers } = this.#parts;
    const segId = reader.read(this.#width);
    expect(segId < centers.rows, () => {
      return `The code names center ${segId} but the coder has ${centers.rows}; it belongs to another coder or is torn.`;
    });
    segments[i] = segId;
    if (layout === 'centroids') return;
    qAlpha[i] = reader.read(8) - 128;
    qTau[i] = reader.read(8) - 128;
  }

  /** What a head predicts of all coefficients, the mean of the residual included, into `target` from `at` on. */
  predict({ segments, qAlpha, qTau }: Heads, i: number, target: Float64Array, at: number): void {
    const { layout, tDir, centers, residualMean, scales } = this.#parts;
    const r = tDir.length;
    const from = segments[i]! * r;
    if (layout === 'centroids') {
      for (let j = 0; j < r; j++) target[at + j] = centers.data[from + j]! + residualMean[j]!;
      return;
    }
    const alpha = qAlpha[i]! * scales[0]!;
    const tau = qTau[i]! * scales[1]!;
    for (let j = 0; j < r; j++) {
      target[at + j] = alpha * tDir[j]! + tau * centers.data[from + j]! + residualMean[j]!;
    }
  }

  /** Prepares scores of heads against projected queries B q [r]. */
  scorer(projected: Float64Array): (heads: Heads, i: number) => number {
    const { layout, tDir, centers, residualMean, scales } = this.#parts;
    const constant = dotAt(projected, 0, residualMean, 0, residualMean.length);
    const byCenter = timesVector(centers, projected);
    if (layout === 'centroids') return ({ segments }, i) => constant + byCenter[segments[i]!]!;
    const perAlpha = scales[0]! * dotAt(projected, 0, tDir, 0, tDir.length);
    const perTau = byCenter.map((value) => value * scales[1]!);
    return ({ segments, qAlpha, qTau }, i) =>
      constant + qAlpha[i]! * perAlpha + qTau[i]! * perTau[segments[i]!]!;
  }

  /** Scores of the heads that the first `count` rows begin with, plus a constant. */
  rowScores(projected: Float64Array, rows: PackedRows, count: number, constant: number): Float64Array {
    const { layout, tDir, centers, residualMean, scales } = this.#parts;
    const { bytes, width } = rows;
    const sums = new Float64Array(count).fill(constant + dotAt(projected, 0, residualMean, 0, tDir.length));
    const byCenter = timesVector(centers, projected);
    const perAlpha = scales[0]! * dotAt(projected, 0, tDir, 0, tDir.length);
    for (let row = 0, at = 0; row < count; row++, at += width) {
      const along = byCenter[bitsAt(bytes, at, 0, this.#width)]!;
      if (layout === 'centroids') {
        sums[row]! += along;
        continue;
      }
      const alpha = bitsAt(bytes, at, this.#width, 8) - 128;
      const tau = bitsAt(bytes, at, this.#width + 8, 8) - 128;
      sums[row]! += alpha * perAlpha + tau * scales[1]! * along;
    }
    return sums;
  }
}

/** `width` bits from `position` on, 16 at most. */
function bitsAt(bytes: Uint8Array, at: number, position: number, width: number): number {
  const from = at + (position >>> 3);
  const window = bytes[from]! | (bytes[from + 1]! << 8) | (bytes[from + 2]! << 16);
  return (window >>> (position & 7)) & ((1 << width) - 1);
}

/** Room for n heads. */
export const emptyHeads = (n: number): Heads => ({
  segments: new Int32Array(n),
  qAlpha: new Int32Array(n),
  qTau: new Int32Array(n),
});
