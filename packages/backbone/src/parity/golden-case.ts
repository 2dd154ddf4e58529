import { InputError, type NDArray, ndarray, sizeOf } from '@palimpsest/tensor-core';
import type { ParityCase, ParityOutput, ParityTensor } from './contract.js';

interface Tolerance {
  readonly atol: number;
  readonly rtol: number;
}

/** Reads one golden case and collects what is compared. */
export class GoldenCase {
  readonly outputs: ParityOutput[] = [];
  readonly #compared = new Set<string>();

  constructor(readonly testCase: ParityCase) {}

  has(name: string): boolean {
    return this.testCase.tensors.has(name);
  }

  tensor(name: string): ParityTensor {
    const tensor = this.testCase.tensors.get(name);
    if (tensor) return tensor;
    throw new InputError(`The case '${this.testCase.name}' has no tensor '${name}'.`);
  }

  floats(name: string): NDArray<'float32'> {
    const { data, shape } = this.tensor(name);
    return ndarray(Float32Array.from(data), shape);
  }

  integers(name: string): NDArray<'int32'> {
    const { data, shape } = this.tensor(name);
    return ndarray(Int32Array.from(data), shape, 'int32');
  }

  /**
   * Compares with the tensor of that name, if the case has it.
   * @param mask `[batch, time]`: rows of the leading two axes that count; default: all
   */
  compare(name: string, actual: ArrayLike<number>, mask?: ArrayLike<number>): void {
    if (!this.has(name)) return;
    this.#compared.add(name);
    const { data, shape } = this.tensor(name);
    const width = mask ? sizeOf(shape) / mask.length : 0;
    const pick = (values: ArrayLike<number>) => (mask ? keptRows(values, mask, width) : values);
    this.outputs.push({ name, actual: pick(actual), expected: pick(data), ...this.#tolerance(name) });
  }

  /** Compares integers or texts for equality. */
  equal(name: string, actual: ArrayLike<number> | string, expected: ArrayLike<number> | string): void {
    this.#compared.add(name);
    this.outputs.push({ name, actual, expected, atol: 0, rtol: 0, exact: true });
  }

  /** @throws InputError when the case has outputs that were not compared. */
  finish(): ParityOutput[] {
    const left = [...this.testCase.tensors.keys()].filter(
      (name) => /^(out|grad)\//.test(name) && !this.#compared.has(name),
    );
    if (left.length === 0) return this.outputs;
    throw new InputError(
      `The case '${this.testCase.name}' has outputs that nobody computes: ${left.join(', ')}.`,
    );
  }

  /** The case's `tolerance`, or that of `tolerances` for this output. */
  #tolerance(name: string): Tolerance {
    const { tolerance, tolerances } = this.testCase.json as Record<
      string,
      Record<string, unknown> | undefined
    >;
    const own = tolerances?.[name] ?? tolerances?.[name.replace(/^[^/]*\//, '')];
    const chosen = { ...tolerances, ...tolerance, ...(own as object | undefined) } as Partial<Tolerance>;
    return { atol: chosen.atol ?? 0, rtol: chosen.rtol ?? 0 };
  }
}

function keptRows(values: ArrayLike<number>, mask: ArrayLike<number>, width: number): number[] {
  const kept: number[] = [];
  for (let row = 0; row < mask.length; row++) {
    if (mask[row] === 0) continue;
    for (let i = row * width; i < (row + 1) * width; i++) kept.push(values[i]!);
  }
  return kept;
}
