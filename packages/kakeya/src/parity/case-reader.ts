import { expect, KakeyaError } from '../errors.js';
import { type Matrix, matrix } from '../matrix.js';
import { type Skeleton, skeletonFrom } from '../skeleton.js';
import type { ParityCase, ParityOutput, ParityTensor } from './types.js';

interface Tolerance {
  readonly atol: number;
  readonly rtol: number;
}

/** Arrays, options and tolerances of a case, and the outputs compared so far. */
export class CaseReader {
  readonly outputs: ParityOutput[] = [];
  readonly config: Readonly<Record<string, unknown>>;
  readonly expected: Readonly<Record<string, unknown>>;
  readonly #case: ParityCase;
  readonly #tolerances: Readonly<Record<string, unknown>>;

  constructor(testCase: ParityCase) {
    this.#case = testCase;
    this.config = objectAt(testCase.json, 'config');
    this.expected = objectAt(testCase.json, 'expected');
    this.#tolerances = objectAt(testCase.json, 'tolerances');
  }

  /** The prose that says what to run; a few sizes are written only there. */
  get run(): string {
    return String(this.#case.json.run ?? '');
  }
  names(): string[] {
    return [...this.#case.tensors.keys()];
  }
  has(name: string): boolean {
    return this.#case.tensors.has(name);
  }
  tensor(name: string): ParityTensor {
    const tensor = this.#case.tensors.get(name);
    if (tensor === undefined) throw new KakeyaError(`Case ${this.#case.name} lacks the array ${name}.`);
    return tensor;
  }
  vector(name: string): Float64Array {
    return Float64Array.from(this.tensor(name).data);
  }
  integers(name: string): Int32Array {
    return Int32Array.from(this.tensor(name).data);
  }
  matrix(name: string): Matrix {
    const { shape } = this.tensor(name);
    expect(shape.length === 2, () => `Case ${this.#case.name}: array ${name} is not a matrix.`);
    return matrix(shape[0]!, shape[1]!, this.vector(name));
  }
  number(key: string, fallback?: number): number {
    const value = this.config[key] ?? fallback;
    if (typeof value !== 'number') throw new KakeyaError(`Case ${this.#case.name} lacks the option ${key}.`);
    return value;
  }

  /** A skeleton from arrays under a prefix, or the width of its residual from `dRes`. */
  skeleton(prefix: string, dRes: number): Skeleton {
    return skeletonFrom({
      basis: this.matrix(`${prefix}basis`),
      mean: this.vector(`${prefix}mean`),
      tDir: this.vector(`${prefix}tDir`),
      centers: this.matrix(`${prefix}centers`),
      dRes,
    });
  }

  /** Compares with an array of the case, at the tolerance that the case gives its name. */
  compare(name: string, actual: ArrayLike<number>, options: { as?: string; variant?: string } = {}): void {
    const expected = this.tensor(name).data;
    const tolerance = this.tolerance(name, options.variant);
    this.#add(options.as ?? name, actual, expected, tolerance);
  }

  /** Compares with given numbers; whole numbers and "exact" entries must be equal. */
  compareTo(
    name: string,
    actual: ArrayLike<number>,
    expected: ArrayLike<number>,
    tolerance: Tolerance | 'exact' = this.tolerance(name),
  ): void {
    this.#add(name, actual, expected, tolerance);
  }

  /** Compares structure: keys in any order. */
  compareJson(name: string, actual: unknown, expected: unknown): void {
    const [a, b] = [canonical(actual), canonical(expected)];
    this.outputs.push({ name, actual: a, expected: b, atol: 0, rtol: 0, exact: true });
  }

  /** The most specific tolerance for a name: its last part, then its longest prefix; integer arrays are exact. */
  tolerance(name: string, variant?: string): Tolerance | 'exact' {
    if (this.#case.tensors.get(name)?.dtype === 'I32') return 'exact';
    const last = name.slice(name.lastIndexOf('/') + 1);
    let best: { score: number; value: unknown } | undefined;
    for (const [keys, value] of Object.entries(this.#tolerances)) {
      for (const key of keys.split(',').map((part) => part.trim())) {
        const score = matchScore(key, name, last);
        if (score > 0 && (best === undefined || score > best.score)) best = { score, value };
      }
    }
    return parseTolerance(best?.value, variant);
  }

  #add(
    name: string,
    actual: ArrayLike<number>,
    expected: ArrayLike<number>,
    tolerance: Tolerance | 'exact',
  ): void {
    this.outputs.push(
      tolerance === 'exact'
        ? { name, actual, expected, atol: 0, rtol: 0, exact: true }
        : { name, actual, expected, ...tolerance },
    );
  }
}

/** Keys match a whole name, its last part (with or without "out/" before it), or a folder it lies in. */
function matchScore(key: string, name: string, last: string): number {
  if (key === name) return 1000;
  const bare = key.slice(key.lastIndexOf('/') + 1);
  if (bare === last) return 500;
  return name.startsWith(`${key}/`) ? key.length : 0;
}

function parseTolerance(value: unknown, variant: string | undefined): Tolerance | 'exact' {
  if (typeof value === 'string' && value.startsWith('exact')) return 'exact';
  const given = (typeof value === 'object' && value !== null ? value : { atol: 1e-5, rtol: 1e-5 }) as Record<
    string,
    unknown
  >;
  const pick = (key: string) => (typeof given[key] === 'number' ? (given[key] as number) : 0);
  const tighter = variant !== undefined && typeof given[variant] === 'number' ? pick(variant) : undefined;
  return { atol: tighter ?? pick('atol'), rtol: pick('rtol') };
}

function objectAt(json: Record<string, unknown>, key: string): Record<string, unknown> {
  const value = json[key];
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
