import type { ParityCase, ParityOutput, ParityTensor } from './types.js';

/** Reads the inputs of a case and collects what was computed beside what is expected. */
export class CaseReader {
  readonly outputs: ParityOutput[] = [];
  readonly #tolerances: { atol: number; rtol: number; exact: readonly string[] };

  constructor(readonly testCase: ParityCase) {
    const given = (testCase.json.tolerances ?? {}) as { atol?: number; rtol?: number; exact?: string[] };
    this.#tolerances = { atol: given.atol ?? 1e-6, rtol: given.rtol ?? 1e-6, exact: given.exact ?? [] };
  }

  config<T>(): T {
    return this.testCase.json.config as T;
  }

  has(name: string): boolean {
    return this.testCase.tensors.has(name);
  }

  tensor(name: string): ParityTensor {
    const tensor = this.testCase.tensors.get(name);
    if (!tensor) throw new Error(`The case '${this.testCase.name}' has no tensor '${name}'.`);
    return tensor;
  }

  /** Values of a tensor in float64. */
  values(name: string): Float64Array {
    return Float64Array.from(this.tensor(name).data);
  }

  /** Compares with the tensor of the name. The last part of the name decides whether it must be exact. */
  compare(name: string, actual: ArrayLike<number>): void {
    const { atol, rtol, exact } = this.#tolerances;
    const leaf = name.split('/').at(-1)!;
    this.outputs.push({
      name,
      actual,
      expected: this.tensor(name).data,
      atol,
      rtol,
      exact: exact.includes(leaf),
    });
  }
}

/** Rows of the last axis. */
export function rowsOf(tensor: ParityTensor): Float64Array[] {
  const width = tensor.shape.at(-1)!;
  const values = Float64Array.from(tensor.data);
  return Array.from({ length: values.length / width }, (_, row) =>
    values.subarray(row * width, (row + 1) * width),
  );
}

export const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
};

export const concatenate = (rows: readonly ArrayLike<number>[]): number[] =>
  rows.flatMap((row) => Array.from(row));
