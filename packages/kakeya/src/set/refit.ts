import { largestInto } from '../linalg/largest-entries.js';
import { dotAt, type FloatArray } from '../linalg/matrix.js';
import type { SparseCode } from './record.js';
import type { Skeleton } from './skeleton.js';

/** How far the refit encoder searches; the defaults are those of DERIVATION.md, "Sparse records and the refit encoder". */
export interface RefitOptions {
  /** Centers tried besides the one-pass choice; default 8. */
  readonly candidates?: number;
  /** Alternations of choosing entries and solving for the two lengths; default 3. */
  readonly rounds?: number;
}

/**
 * Improves a one-pass code without changing its format (DERIVATION.md, "Sparse records and the refit encoder"): for the most promising centers alternately picks
 * the dRes entries that fit worst and solves the 2 x 2 least squares for (alpha, t) on the others. Starts at the given
 * code, so the error in PCA space never grows.
 */
export function refitCode(
  coefficients: FloatArray,
  skeleton: Skeleton,
  start: SparseCode,
  options: RefitOptions = {},
): SparseCode {
  return new Refitter(skeleton, options).refit(coefficients, 0, start);
}

/** {@link refitCode} for many vectors of one skeleton, with arrays that are made once. */
export class Refitter {
  readonly #skeleton: Skeleton;
  readonly #candidates: number;
  readonly #rounds: number;
  /** Of the vector at hand, [dEff] and [K]. */
  readonly #coefficients: Float64Array;
  readonly #similarities: Float64Array;
  readonly #nearest: Int32Array;
  /** Of the center at hand: what it leaves, the entries that are kept of that, and their marks. */
  readonly #residual: Float64Array;
  readonly #chosen: Int32Array;
  readonly #excluded: Uint8Array;
  #alpha = 0;
  #t = 0;
  /** Of the best center so far. */
  readonly #bestResidual: Float64Array;
  readonly #bestChosen: Int32Array;

  constructor(skeleton: Skeleton, options: RefitOptions = {}) {
    const { dEff, K, dRes } = skeleton;
    this.#skeleton = skeleton;
    this.#candidates = Math.min(options.candidates ?? 8, K);
    this.#rounds = options.rounds ?? 3;
    this.#coefficients = new Float64Array(dEff);
    this.#similarities = new Float64Array(K);
    // One place more, for the center of the code to start at.
    this.#nearest = new Int32Array(this.#candidates + 1);
    this.#residual = new Float64Array(dEff);
    this.#excluded = new Uint8Array(dEff);
    this.#chosen = new Int32Array(Math.min(dRes, dEff));
    this.#bestResidual = new Float64Array(dEff);
    this.#bestChosen = new Int32Array(this.#chosen.length);
  }

  /** The better code of the coefficients that begin at `from`. */
  refit(coefficients: FloatArray, from: number, start: SparseCode): SparseCode {
    const { dEff } = this.#skeleton;
    for (let i = 0; i < dEff; i++) this.#coefficients[i] = coefficients[from + i]!;
    const alpha = dotAt(this.#coefficients, 0, this.#skeleton.tDir, 0, dEff);
    const count = this.#chooseCandidates(alpha, start.segId);
    let bestEnergy = Infinity;
    let best = { segId: -1, alpha: 0, t: 0 };
    for (let k = 0; k < count; k++) {
      const segId = this.#nearest[k]!;
      const energy = this.#alternate(segId, alpha);
      if (best.segId >= 0 && !(energy < bestEnergy)) continue;
      bestEnergy = energy;
      best = { segId, alpha: this.#alpha, t: this.#t };
      this.#bestResidual.set(this.#residual);
      this.#bestChosen.set(this.#chosen);
    }
    if (best.segId < 0 || bestEnergy > this.#energyOf(start)) return start;
    return this.#toCode(best);
  }

  /** Lists the centers to try; the one-pass choice is always among them. */
  #chooseCandidates(alpha: number, startsAt: number): number {
    const { dEff, K, tDir, centers } = this.#skeleton;
    const perp = this.#residual;
    for (let i = 0; i < dEff; i++) perp[i] = this.#coefficients[i]! - alpha * tDir[i]!;
    for (let c = 0; c < K; c++) this.#similarities[c] = dotAt(centers.data, c * dEff, perp, 0, dEff);
    let count = largestInto(this.#nearest, this.#similarities, 0, K, this.#candidates);
    for (let k = 0; k < count; k++) if (this.#nearest[k] === startsAt) return count;
    this.#nearest[count++] = startsAt;
    return count;
  }

  /** Leaves lengths, residual and chosen entries of a center; the squared error left outside of the latter. */
  #alternate(segId: number, alpha: number): number {
    const n = this.#residual.length;
    const count = this.#chosen.length;
    this.#alpha = alpha;
    this.#t = this.#similarities[segId]!;
    this.#leave(segId, this.#alpha, this.#t);
    largestInto(this.#chosen, this.#residual, 0, n, count);
    for (let round = 0; round < this.#rounds; round++) {
      if (round > 0) largestInto(this.#chosen, this.#residual, 0, n, count);
      this.#solveOutside(segId);
      this.#leave(segId, this.#alpha, this.#t);
    }
    return this.#energyOutside(this.#chosen);
  }

  /** residual = coefficients - alpha tDir - t center. */
  #leave(segId: number, alpha: number, t: number): void {
    const { tDir, centers, dEff } = this.#skeleton;
    const center = centers.data;
    const residual = this.#residual;
    for (let i = 0, at = segId * dEff; i < dEff; i++, at++) {
      residual[i] = this.#coefficients[i]! - alpha * tDir[i]! - t * center[at]!;
    }
  }

  /** Least squares of the coefficients outside the chosen entries on (tDir, center), where it is not singular. */
  #solveOutside(segId: number): void {
    const { tDir, centers, dEff } = this.#skeleton;
    const offset = segId * dEff;
    const excluded = this.#mark(this.#chosen, 1);
    let g11 = 1e-9;
    let g22 = 1e-9;
    let g12 = 0;
    let b1 = 0;
    let b2 = 0;
    for (let i = 0; i < dEff; i++) {
      if (excluded[i] === 1) continue;
      const direction = tDir[i]!;
      const center = centers.data[offset + i]!;
      const own = this.#coefficients[i]!;
      g11 += direction * direction;
      g22 += center * center;
      g12 += direction * center;
      b1 += direction * own;
      b2 += center * own;
    }
    this.#mark(this.#chosen, 0);
    const determinant = g11 * g22 - g12 * g12;
    if (determinant <= 1e-6) return;
    this.#alpha = (g22 * b1 - g12 * b2) / determinant;
    this.#t = (g11 * b2 - g12 * b1) / determinant;
  }

  #mark(entries: Int32Array, value: 0 | 1): Uint8Array {
    for (let i = 0; i < entries.length; i++) this.#excluded[entries[i]!] = value;
    return this.#excluded;
  }

  #energyOutside(entries: Int32Array): number {
    const excluded = this.#mark(entries, 1);
    let sum = 0;
    for (let i = 0; i < this.#residual.length; i++) {
      if (excluded[i] === 0) sum += this.#residual[i]! * this.#residual[i]!;
    }
    this.#mark(entries, 0);
    return sum;
  }

  #energyOf(start: SparseCode): number {
    this.#leave(start.segId, start.alpha, start.t);
    return this.#energyOutside(start.residualIdx);
  }

  /** The entries in descending magnitude of their final values; all of them stay in index order. */
  #toCode({ segId, alpha, t }: { segId: number; alpha: number; t: number }): SparseCode {
    const residual = this.#bestResidual;
    const residualIdx = this.#bestChosen.slice();
    if (residualIdx.length < residual.length) sortBySize(residualIdx, residual);
    const residualVals = new Float32Array(residualIdx.length);
    for (let i = 0; i < residualIdx.length; i++) residualVals[i] = residual[residualIdx[i]!]!;
    return { segId, alpha: Math.fround(alpha), t: Math.fround(t), residualVals, residualIdx };
  }
}

/** Descending magnitude, ties to the lowest index; by insertion, as there are few. */
function sortBySize(entries: Int32Array, values: Float64Array): void {
  for (let i = 1; i < entries.length; i++) {
    const own = entries[i]!;
    const size = Math.abs(values[own]!);
    let place = i;
    for (; place > 0; place--) {
      const before = entries[place - 1]!;
      const other = Math.abs(values[before]!);
      if (other > size || (other === size && before < own)) break;
      entries[place] = before;
    }
    entries[place] = own;
  }
}
