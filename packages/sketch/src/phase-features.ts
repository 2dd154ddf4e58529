import { InputError } from '@palimpsest/base';
import { countRows, expectLength, expectNumbers, expectOneOf } from './checks.js';

export interface PhaseOptions {
  /** Content phase θ, one number or one per channel. */
  readonly theta: number | ArrayLike<number>;
  /** Positional phase ω per position in radians, one number or one per channel. */
  readonly omega: number | ArrayLike<number>;
  /** Integer position t of every row: one number, or a list that repeats over leading axes. */
  readonly position: number | ArrayLike<number>;
  /** Queries turn by −ω t, keys by +ω t. */
  readonly role: 'query' | 'key';
  /** Number of channels d. Default: all values are one row. */
  readonly dim?: number;
  /** Refuse NaN inputs. Default false. */
  readonly validate?: boolean;
}

/** Real and imaginary parts of equal length. */
export interface ComplexVector {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

const TURN = 2 * Math.PI;

/**
 * Complex phase features x e^{iφ}, φ = θ x ∓ ω t. Without conjugation, Re Σ q̃ k̃ depends on positions through their
 * difference alone. ω t is reduced modulo 2π in float64, so long streams keep their digits (DERIVATION.md, "Phase features").
 * @param x `[..., d]`
 * @returns parts `[..., d]`
 * @throws InputError when rows, positions or per-channel phases do not fit
 */
export function phaseFeatures(x: ArrayLike<number>, options: PhaseOptions): ComplexVector {
  const { role, dim = x.length } = options;
  expectOneOf(role, ['query', 'key'], 'role');
  const rows = dim === 0 ? 0 : countRows(x, dim, 'x');
  const [theta, omega] = [perChannel(options.theta, dim, 'theta'), perChannel(options.omega, dim, 'omega')];
  const positions = typeof options.position === 'number' ? [options.position] : options.position;
  if (positions.length === 0 || rows % positions.length !== 0) {
    throw new InputError(`${positions.length} positions do not fit ${rows} rows; give one, or one per row.`);
  }
  if (options.validate) expectNumbers(x, 'x');
  const direction = role === 'query' ? -1 : 1;
  const re = new Float64Array(x.length);
  const im = new Float64Array(x.length);
  for (let i = 0; i < x.length; i++) {
    const channel = i % dim;
    const position = positions[((i - channel) / dim) % positions.length]!;
    const phase = theta[channel]! * x[i]! + direction * ((omega[channel]! * position) % TURN);
    re[i] = x[i]! * Math.cos(phase);
    im[i] = x[i]! * Math.sin(phase);
  }
  return { re, im };
}

/** Re Σ_c q̃_c k̃_c, the relative score of a query and a key of equal length. */
export function relativeScore(query: ComplexVector, key: ComplexVector): number {
  expectLength(key.re, query.re.length, 'key');
  let score = 0;
  for (let c = 0; c < query.re.length; c++) score += query.re[c]! * key.re[c]! - query.im[c]! * key.im[c]!;
  return score;
}

function perChannel(value: number | ArrayLike<number>, dim: number, name: string): ArrayLike<number> {
  if (typeof value === 'number') return new Float64Array(dim).fill(value);
  expectLength(value, dim, name);
  return value;
}
