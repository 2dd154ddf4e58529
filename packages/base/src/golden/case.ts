import { InputError } from '../errors.js';
import type { DataOf, DType, NDArray } from '../ndarray.js';
import type { GoldenTensor } from './contract.js';
import { isBelow } from './json-paths.js';

/** Prefixes of results: their values are for the runner alone. */
const RESULTS = ['out/', 'grad/'];
export const isResult = (name: string): boolean => RESULTS.some((prefix) => name.startsWith(prefix));

/** What a golden case consists of, results included: the runner's view. */
export interface GoldenSource {
  readonly name: string;
  readonly system: string;
  readonly kind: string;
  readonly json: Record<string, unknown>;
  readonly tensors: ReadonlyMap<string, GoldenTensor>;
  /** The folder of the files, for cases that name further files in it. */
  readonly folder: string;
}

/**
 * A golden case as its handler sees it: what to run and on what. Of the results it knows names and shapes only. A tensor
 * under `state/` is a result unless the handler reads it, which makes it an input; so is one that the handler declares as given.
 */
export class GoldenCase {
  readonly name: string;
  readonly system: string;
  readonly kind: string;
  readonly folder: string;
  /** Names of tensors that were read. */
  readonly read: Set<string> = new Set();
  readonly #tensors: ReadonlyMap<string, GoldenTensor>;
  readonly #given: readonly string[];

  /**
   * @param json the JSON without results and tolerances
   * @param given patterns of results that say what to run, and may be read
   */
  constructor(
    source: GoldenSource,
    readonly json: Readonly<Record<string, unknown>>,
    given: readonly string[] = [],
  ) {
    this.#given = given;
    this.name = source.name;
    this.system = source.system;
    this.kind = source.kind;
    this.folder = source.folder;
    this.#tensors = source.tensors;
  }

  /** The case's configuration; empty where the JSON has none. */
  get config(): Readonly<Record<string, unknown>> {
    return this.member('config', {});
  }

  /** A member of the JSON, or a default. */
  member<T>(name: string, otherwise: T): T {
    return (this.json[name] as T | undefined) ?? otherwise;
  }

  /** Says whether the case holds a tensor, results included: what is not there is not asked for. */
  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  /** Names of the tensors, results included, that start with `prefix`. */
  names(prefix = ''): string[] {
    return [...this.#tensors.keys()].filter((name) => name.startsWith(prefix));
  }

  /** How many tensors `prefix_0`, `prefix_1`, ... there are. */
  count(prefix: string): number {
    let count = 0;
    while (this.has(`${prefix}_${count}`)) count += 1;
    return count;
  }

  /** The shape of a tensor, results included. @throws InputError when the case has none of the name. */
  shape(name: string): readonly number[] {
    return this.#find(name).shape;
  }

  /** An input. @throws InputError when the case has none of the name, or when it is a result. */
  tensor(name: string): GoldenTensor {
    if (isResult(name) && !isBelow(name, this.#given)) {
      throw new InputError(
        `The case '${this.name}' expects '${name}'; a handler computes it and does not read it.`,
      );
    }
    const tensor = this.#find(name);
    this.read.add(name);
    return tensor;
  }

  /** An input as a host array of the type that it is stored in. */
  array<D extends DType = DType>(name: string): NDArray<D> {
    const { data, shape, dtype } = this.tensor(name);
    const types: Record<string, DType> = { F32: 'float32', I32: 'int32', BOOL: 'bool' };
    return { data: data as DataOf<D>, shape, dtype: (types[dtype] ?? 'int32') as D };
  }

  /** Values of an input in float64. */
  numbers(name: string): Float64Array {
    return Float64Array.from(this.tensor(name).data);
  }

  /** Values of an input as whole numbers. */
  integers(name: string): Int32Array {
    return Int32Array.from(this.tensor(name).data);
  }

  /** The tensors below `weights/` and a further prefix, by the rest of their names. */
  weights(prefix = ''): ReadonlyMap<string, { data: Float32Array; shape: readonly number[] }> {
    const start = `weights/${prefix}`;
    return new Map(
      this.names(start).map((name) => {
        const { data, shape } = this.#find(name);
        return [name.slice(start.length), { data: data as Float32Array, shape }];
      }),
    );
  }

  #find(name: string): GoldenTensor {
    const tensor = this.#tensors.get(name);
    if (!tensor) throw new InputError(`The case '${this.name}' lacks the tensor '${name}'.`);
    return tensor;
  }
}
