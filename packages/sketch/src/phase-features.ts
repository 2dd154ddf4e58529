import { expectLength } from './checks.js';

export interface PhaseOptions {
  /** Content phase θ, one number or one per channel. */
  readonly theta: number | ArrayLike<number>;
  /** Positional phase ω per position, one number or one per channel. */
  readonly omega: number | ArrayLike<number>;
  /** Integer position t. */
  readonly position: number;
  /** Queries turn by −ω t, keys by +ω t. */
  readonly role: 'query' | 'key';
}

export interface ComplexVector {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

const TURN = 2 * Math.PI;
const at = (values: number | ArrayLike<number>, channel: number) =>
  typeof values === 'number' ? values : values[channel]!;

/**
 * Complex phase features x e^{iφ}, φ = θ x ∓ ω t. Without conjugation, Re Σ q̃ k̃ depends on positions through their
 * difference alone. ω t is reduced modulo 2π in float64, so long streams keep their digits.
 * @param x `[d]`
 * @throws RangeError when per-channel phases have another length
 */
export function phaseFeatures(x: ArrayLike<number>, options: PhaseOptions): ComplexVector {
  const { theta, omega, position, role } = options;
  if (typeof theta !== 'number') expectLength(theta, x.length, 'theta');
  if (typeof omega !== 'number') expectLength(omega, x.length, 'omega');
  const direction = role === 'query' ? -1 : 1;
  const re = new Float64Array(x.length);
  const im = new Float64Array(x.length);
  for (let c = 0; c < x.length; c++) {
    const phase = at(theta, c) * x[c]! + direction * ((at(omega, c) * position) % TURN);
    re[c] = x[c]! * Math.cos(phase);
    im[c] = x[c]! * Math.sin(phase);
  }
  return { re, im };
}

/** Re Σ_c q̃_c k̃_c, the relative score of a query and a key. */
export function relativeScore(query: ComplexVector, key: ComplexVector): number {
  expectLength(key.re, query.re.length, 'key');
  let score = 0;
  for (let c = 0; c < query.re.length; c++) score += query.re[c]! * key.re[c]! - query.im[c]! * key.im[c]!;
  return score;
}
