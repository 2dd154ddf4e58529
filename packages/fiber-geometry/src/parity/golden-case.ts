import type { DeviceArray } from '@palimpsest/tensor-core';
import { type Engine, InputError, type NDArray, ndarray, tf, treeLeaves } from '@palimpsest/tensor-core';
import type { ConnectionParameters } from '../connection.js';
import type { MetricParameters } from '../metric.js';
import type { MlpParameters } from '../parameters.js';
import type { ParityCase, ParityOutput } from './contract.js';

interface Tolerance {
  readonly atol: number;
  readonly rtol: number;
}

type ToleranceEntry = { atol?: number; rtol?: number } & Record<string, unknown>;

/** Reads one golden case and turns results into compared outputs. */
export class GoldenCase {
  readonly config: Readonly<Record<string, unknown>>;
  readonly outputs: ParityOutput[] = [];

  constructor(readonly testCase: ParityCase) {
    this.config = (testCase.json.config ?? {}) as Record<string, unknown>;
  }

  /** A number of the configuration. @throws InputError when it is absent. */
  number(key: string): number {
    const value = this.config[key];
    if (typeof value === 'number') return value;
    throw new InputError(`The case '${this.testCase.name}' has no number '${key}' in its configuration.`);
  }

  has(name: string): boolean {
    return this.testCase.tensors.has(name);
  }

  /** Names of the case's tensors below a prefix, without it. */
  namesUnder(prefix: string): string[] {
    return [...this.testCase.tensors.keys()]
      .filter((name) => name.startsWith(prefix))
      .map((name) => name.slice(prefix.length));
  }

  array(name: string): NDArray<'float32'> {
    const tensor = this.#tensor(name);
    return ndarray(Float32Array.from(tensor.data), tensor.shape);
  }

  /** The array as an argument of `runOnce`, whose functions see tensors. */
  input(name: string): tf.Tensor {
    return this.array(name) as unknown as tf.Tensor;
  }

  integers(name: string): Int32Array {
    return Int32Array.from(this.#tensor(name).data);
  }

  /** The tensors `prefix` + net.{0,2,4}.{weight,bias}. */
  net(prefix: string): MlpParameters {
    const layer = (index: number) => ({
      weight: this.array(`${prefix}net.${index}.weight`),
      bias: this.array(`${prefix}net.${index}.bias`),
    });
    return { 0: layer(0), 2: layer(2), 4: layer(4) };
  }

  metricParameters(prefix: string): MetricParameters {
    return { net: this.net(prefix) };
  }

  connectionParameters(prefix: string): ConnectionParameters {
    const generators = `${prefix}generators`;
    return { net: this.net(prefix), ...(this.has(generators) ? { generators: this.array(generators) } : {}) };
  }

  expected<T>(key: string): T | undefined {
    return (this.testCase.json.expected as Record<string, T> | undefined)?.[key];
  }

  /** Compares with the tensor of the same name, by the tolerance that the case states for it. */
  compare(name: string, actual: ArrayLike<number>, tolerance: Tolerance = this.tolerance(name)): void {
    const rows = this.#rowTolerances(name);
    const expected = this.#tensor(name);
    if (rows.size === 0) {
      this.outputs.push({ name, actual, expected: expected.data, ...tolerance });
      return;
    }
    const count = expected.shape[0]!;
    const width = expected.data.length / count;
    const cut = (data: ArrayLike<number>, row: number) =>
      Array.from({ length: width }, (_, i) => data[row * width + i]!);
    for (let row = 0; row < count; row++) {
      const own = rows.get(row);
      this.outputs.push({
        name: `${name} row ${row}`,
        actual: cut(actual, row),
        expected: cut(expected.data, row),
        atol: own ?? tolerance.atol,
        rtol: tolerance.rtol,
      });
    }
  }

  close(
    name: string,
    actual: ArrayLike<number>,
    expected: ArrayLike<number>,
    { atol, rtol }: Tolerance,
  ): void {
    this.outputs.push({ name, actual, expected, atol, rtol });
  }

  equal(name: string, actual: ArrayLike<number> | string, expected: ArrayLike<number> | string): void {
    this.outputs.push({ name, actual, expected, atol: 0, rtol: 0, exact: true });
  }

  /** Compares with the integers of the same name. */
  equalIntegers(name: string, actual: ArrayLike<number>): void {
    this.equal(name, actual, this.integers(name));
  }

  /**
   * The tolerance for an output: of the longest key that is its name, its last part without digits, or a prefix of it.
   */
  tolerance(name: string): Tolerance {
    const table = (this.testCase.json.tolerances ?? {}) as Record<string, ToleranceEntry>;
    const last = name.split('/').at(-1)!;
    const fits = (key: string) =>
      name === key || name.startsWith(`${key}/`) || last === key || last.replace(/\d+$/, '') === key;
    const key = Object.keys(table)
      .filter((candidate) => typeof table[candidate] === 'object' && fits(candidate))
      .sort((a, b) => specificity(b, name) - specificity(a, name))[0];
    const entry = key === undefined ? {} : table[key]!;
    return { atol: entry.atol ?? 0, rtol: entry.rtol ?? 0 };
  }

  /** Absolute tolerances of single rows, as `row5: { atol }`, or spelled out in a row's note. */
  #rowTolerances(name: string): Map<number, number> {
    const table = (this.testCase.json.tolerances ?? {}) as Record<string, ToleranceEntry>;
    const rows = new Map<number, number>();
    for (const [key, value] of Object.entries(table[name] ?? {})) {
      const row = /^row(\d+)$/.exec(key)?.[1];
      if (row === undefined) continue;
      const entry = value as { atol?: number; note?: string };
      const inNote = /absolute tolerance ([\d.e+-]*\d)/.exec(entry.note ?? '')?.[1];
      const atol = entry.atol ?? (inNote === undefined ? undefined : Number(inNote));
      if (atol !== undefined) rows.set(Number(row), atol);
    }
    return rows;
  }

  #tensor(name: string) {
    const tensor = this.testCase.tensors.get(name);
    if (tensor) return tensor;
    throw new InputError(`The case '${this.testCase.name}' has no tensor '${name}'.`);
  }
}

/** A full name beats a last part, which beats a prefix; longer prefixes beat shorter ones. */
function specificity(key: string, name: string): number {
  if (key === name) return 1e6;
  const isPrefix = name.startsWith(`${key}/`);
  return isPrefix ? key.length : 1e3 + key.length;
}

/** Runs a function of tensors once on an engine and reads every output, by its path in the tree of results. */
export async function runOnce<Args extends readonly unknown[], Out>(
  engine: Engine,
  fn: (...args: Args) => Out,
  ...args: Args
): Promise<ReadonlyMap<string, ArrayLike<number>>> {
  const compiled = engine.compile(fn, { name: 'golden case' });
  const results = await compiled(...(args as never));
  const read = new Map<string, ArrayLike<number>>();
  for (const { path, leaf } of treeLeaves<DeviceArray>(results)) {
    read.set(path, await leaf.data());
    leaf.dispose();
  }
  await compiled.dispose();
  return read;
}

/** Σ value·cotangent. */
export function contract(value: tf.Tensor, cotangent: tf.Tensor): tf.Tensor {
  return tf.sum(tf.mul(value, cotangent));
}
