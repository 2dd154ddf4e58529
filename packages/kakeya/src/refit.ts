import { largestEntries } from './largest-entries.js';
import { dotAt, type FloatArray, timesVector } from './matrix.js';
import type { SparseCode } from './record.js';
import { perpendicular, type Skeleton } from './skeleton.js';

/** How far the refit encoder searches; the defaults are those of spec 9.1. */
export interface RefitOptions {
  /** Centers tried besides the one-pass choice; default 8. */
  readonly candidates?: number;
  /** Alternations of choosing entries and solving for the two lengths; default 3. */
  readonly rounds?: number;
}

interface Fit {
  readonly segId: number;
  readonly alpha: number;
  readonly t: number;
  readonly chosen: Int32Array;
  readonly residual: Float64Array;
  /** Squared error left outside the chosen entries. */
  readonly energy: number;
}

/**
 * Improves a one-pass code without changing its format (spec 9.1): for the most promising centers alternately picks
 * the dRes entries that fit worst and solves the 2 x 2 least squares for (alpha, t) on the others. Starts at the given
 * code, so the error in PCA space never grows.
 */
export function refitCode(
  coefficients: FloatArray,
  skeleton: Skeleton,
  start: SparseCode,
  options: RefitOptions = {},
): SparseCode {
  const perp = perpendicular(coefficients, skeleton.tDir);
  const similarities = timesVector(skeleton.centers, perp);
  const candidates = [...largestEntries(similarities, Math.min(options.candidates ?? 8, skeleton.K))];
  if (!candidates.includes(start.segId)) candidates.push(start.segId);
  let best: Fit | undefined;
  for (const segId of candidates) {
    const fit = alternate(coefficients, skeleton, segId, similarities[segId]!, options.rounds ?? 3);
    if (best === undefined || fit.energy < best.energy) best = fit;
  }
  if (best === undefined || best.energy > startEnergy(coefficients, skeleton, start)) return start;
  return toCode(best, skeleton);
}

function startEnergy(coefficients: FloatArray, skeleton: Skeleton, start: SparseCode): number {
  const residual = residualOf(coefficients, skeleton, start.segId, start.alpha, start.t);
  return energyOutside(residual, start.residualIdx);
}

function alternate(
  coefficients: FloatArray,
  skeleton: Skeleton,
  segId: number,
  similarity: number,
  rounds: number,
): Fit {
  let alpha = dotAt(coefficients, 0, skeleton.tDir, 0, skeleton.dEff);
  let t = similarity;
  let residual = residualOf(coefficients, skeleton, segId, alpha, t);
  let chosen = largestEntries(residual, skeleton.dRes);
  for (let round = 0; round < rounds; round++) {
    chosen = largestEntries(residual, skeleton.dRes);
    const solved = solveOutside(coefficients, skeleton, segId, chosen);
    if (solved !== undefined) [alpha, t] = solved;
    residual = residualOf(coefficients, skeleton, segId, alpha, t);
  }
  return { segId, alpha, t, chosen, residual, energy: energyOutside(residual, chosen) };
}

/** Least squares of the coefficients outside the chosen entries on (tDir, center); undefined when singular. */
function solveOutside(
  coefficients: FloatArray,
  skeleton: Skeleton,
  segId: number,
  chosen: Int32Array,
): [number, number] | undefined {
  const { tDir, centers, dEff } = skeleton;
  const offset = segId * dEff;
  const excluded = new Uint8Array(dEff);
  for (const index of chosen) excluded[index] = 1;
  let g11 = 1e-9;
  let g22 = 1e-9;
  let g12 = 0;
  let b1 = 0;
  let b2 = 0;
  for (let i = 0; i < dEff; i++) {
    if (excluded[i] === 1) continue;
    const direction = tDir[i]!;
    const center = centers.data[offset + i]!;
    g11 += direction * direction;
    g22 += center * center;
    g12 += direction * center;
    b1 += direction * coefficients[i]!;
    b2 += center * coefficients[i]!;
  }
  const determinant = g11 * g22 - g12 * g12;
  if (determinant <= 1e-6) return undefined;
  return [(g22 * b1 - g12 * b2) / determinant, (g11 * b2 - g12 * b1) / determinant];
}

function residualOf(
  coefficients: FloatArray,
  skeleton: Skeleton,
  segId: number,
  alpha: number,
  t: number,
): Float64Array {
  const { tDir, centers, dEff } = skeleton;
  const offset = segId * dEff;
  return Float64Array.from(
    coefficients,
    (value, i) => value - alpha * tDir[i]! - t * centers.data[offset + i]!,
  );
}

function energyOutside(residual: Float64Array, chosen: Int32Array): number {
  const excluded = new Set(chosen);
  return residual.reduce((sum, value, i) => (excluded.has(i) ? sum : sum + value * value), 0);
}

/** The entries in descending magnitude of their final values; all of them stay in index order. */
function toCode(fit: Fit, skeleton: Skeleton): SparseCode {
  const ordered =
    fit.chosen.length === skeleton.dEff
      ? fit.chosen
      : fit.chosen.slice().sort((a, b) => Math.abs(fit.residual[b]!) - Math.abs(fit.residual[a]!) || a - b);
  return {
    segId: fit.segId,
    alpha: Math.fround(fit.alpha),
    t: Math.fround(fit.t),
    residualVals: Float32Array.from(ordered, (index) => fit.residual[index]!),
    residualIdx: ordered,
  };
}
