import type { ParityCase, ParityOutput, ParityTensor } from './types.js';

interface Tolerance {
  readonly atol: number;
  readonly rtol: number;
}

/** Reads the inputs of a case and collects what was computed beside what is expected. */
export class CaseReader {
  readonly #outputs: ParityOutput[] = [];
  readonly #tolerances: Readonly<Record<string, unknown>>;

  constructor(readonly testCase: ParityCase) {
    this.#tolerances = (testCase.json.tolerances ?? {}) as Record<string, unknown>;
  }

  /**
   * Everything compared.
   * @throws RangeError when the case expects an output that was not computed
   */
  get outputs(): ParityOutput[] {
    const compared = new Set(this.#outputs.map(({ name }) => name));
    const left = [...this.testCase.tensors.keys()].filter(
      (name) => name.startsWith('out/') && !compared.has(name),
    );
    if (left.length > 0) {
      throw new RangeError(
        `The case '${this.testCase.name}' expects ${left.join(', ')}, which nothing here computes.`,
      );
    }
    return this.#outputs;
  }

  config<T>(): T {
    return this.testCase.json.config as T;
  }

  has(name: string): boolean {
    return this.testCase.tensors.has(name);
  }

  tensor(name: string): ParityTensor {
    const tensor = this.testCase.tensors.get(name);
    if (!tensor) throw new RangeError(`The case '${this.testCase.name}' has no tensor '${name}'.`);
    return tensor;
  }

  /** Values of a float tensor in the precision of the file. */
  floats(name: string): Float32Array {
    return Float32Array.from(this.tensor(name).data);
  }

  /** Values of a tensor in float64. */
  values(name: string): Float64Array {
    return Float64Array.from(this.tensor(name).data);
  }

  /** Compares with the tensor of the name, when the case holds it. */
  compare(name: string, actual: ArrayLike<number>): void {
    if (!this.has(name)) return;
    const tolerance = this.#toleranceOf(name);
    this.#outputs.push({
      name,
      actual,
      expected: this.tensor(name).data,
      ...tolerance,
      exact: this.#isExact(name),
    });
  }

  /** The case's tolerance, overridden by entries for a part of the name; the last and longest such entry wins. */
  #toleranceOf(name: string): Tolerance {
    const { atol = 0, rtol = 0 } = this.#tolerances as Partial<Tolerance>;
    const overrides = partsOf(name).map((part) => this.#tolerances[part]);
    return Object.assign({ atol, rtol }, ...overrides.filter((entry) => typeof entry === 'object'));
  }

  #isExact(name: string): boolean {
    const { exact } = this.#tolerances;
    if (typeof exact === 'boolean') return exact;
    const parts = partsOf(name);
    return parts.some(
      (part) => (Array.isArray(exact) && exact.includes(part)) || this.#tolerances[part] === 'exact',
    );
  }
}

/** What an entry of the tolerances may call an output: a part between slashes, the name after `out/`, or all of it. */
function partsOf(name: string): string[] {
  const parts = name.split('/');
  return [...parts, parts.slice(1).join('/'), name];
}

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** Inner products of rows `[..., width]` of two arrays. */
export function rowDots(a: Float32Array | Float64Array, b: typeof a, width: number): number[] {
  return Array.from({ length: a.length / width }, (_, row) =>
    dot(a.subarray(row * width, (row + 1) * width), b.subarray(row * width, (row + 1) * width)),
  );
}
