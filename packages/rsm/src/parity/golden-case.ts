import { InputError, type NDArray, Rng } from '@palimpsest/tensor-core';
import { type RsmConfig, type RsmOptions, resolveConfig, rsmConfigSchema } from '../config.js';
import { initParameters, type RsmParams } from '../parameters.js';
import type { PresetName } from '../presets.js';
import { fromReferenceTensors, type NamedTensors } from '../reference-keys.js';
import type { ParityCase, ParityOutput, ParityTensor } from './types.js';

interface Tolerance {
  readonly atol?: number;
  readonly rtol?: number;
}

/** Absolute tolerance of gradients that are zero in exact arithmetic. */
const ZERO_GRADIENT = 1e-5;

/** Reads a golden case: configuration, weights, tensors and tolerances. */
export class GoldenCase {
  constructor(readonly source: ParityCase) {}

  /** A member of the JSON, or a default. */
  member<T>(name: string, otherwise: T): T {
    return (this.source.json[name] as T | undefined) ?? otherwise;
  }

  /** The case's configuration; members that are no options of ours are left out, fields that it lacks are irrelevant. */
  config(preset: PresetName = 'parity', overrides: Readonly<Record<string, unknown>> = {}): RsmConfig {
    const given = { ...this.member<Record<string, unknown>>('config', {}), ...overrides };
    const known = Object.entries(given).filter(([name]) => name in rsmConfigSchema.shape);
    const base = { vocabSize: 1, useGlobalSync: false };
    return resolveConfig({ ...base, ...Object.fromEntries(known), preset } as RsmOptions);
  }

  has(name: string): boolean {
    return this.source.tensors.has(name);
  }

  tensor(name: string): ParityTensor {
    const tensor = this.source.tensors.get(name);
    if (!tensor) throw new InputError(`The case '${this.source.name}' lacks the tensor '${name}'.`);
    return tensor;
  }

  /** A tensor as a host array. */
  array(name: string): NDArray {
    const { data, shape, dtype } = this.tensor(name);
    return { data, shape, dtype: dtype === 'I32' ? 'int32' : 'float32' } as NDArray;
  }

  /** Numbers i for which `prefix_i` exists, from 0 on. */
  count(prefix: string): number {
    let count = 0;
    while (this.has(`${prefix}_${count}`)) count += 1;
    return count;
  }

  /** Weights by their reference names, without the prefix. */
  weights(prefix = ''): NamedTensors {
    const start = `weights/${prefix}`;
    return new Map(
      [...this.source.tensors]
        .filter(([name]) => name.startsWith(start))
        .map(([name, { shape, data }]) => [name.slice(start.length), { shape, data }]),
    );
  }

  /** The parameters of a whole model. */
  params(config: RsmConfig, prefix = ''): RsmParams<NDArray> {
    return fromReferenceTensors(this.weights(prefix), initParameters(config, Rng.fromSeed(0)));
  }

  /** Compares with the tensor `name`, whose first part names the tolerance: out, state or grad. */
  compare(name: string, actual: NDArray, label = name): ParityOutput {
    const kind = name.startsWith('grad/') ? 'grad' : name.startsWith('state/') ? 'state' : 'out';
    const tolerances = this.member<Record<string, Tolerance>>('tolerances', {});
    const { atol = 0, rtol = 0 } = tolerances[kind] ?? tolerances.out ?? {};
    const vanishes = name.endsWith('salience_key.bias');
    return {
      name: label,
      actual: actual.data,
      expected: this.tensor(name).data as Float32Array,
      atol: vanishes ? Math.max(atol, ZERO_GRADIENT) : atol,
      rtol: vanishes ? 0 : rtol,
    };
  }

  /** Compares gradients by their reference names; those that the reference does not have must be zero or absent. */
  compareGradients(gradients: ReadonlyMap<string, NDArray>, prefix = '', label = ''): ParityOutput[] {
    const start = `grad/${prefix}`;
    const named = [...this.source.tensors.keys()].filter((name) => name.startsWith(start));
    const none = new Set(this.member<string[]>('gradientIsNull', []));
    const stated = named.map((name) => {
      const { shape } = this.tensor(name);
      const zero = {
        data: new Float32Array(this.tensor(name).data.length),
        shape,
        dtype: 'float32',
      } as const;
      return this.compare(name, gradients.get(name.slice(start.length)) ?? zero, label + name);
    });
    const absent = [...gradients]
      .filter(([key]) => none.has(prefix + key) && !this.has(start + key))
      .map(([key, { data }]) => ({
        name: `${label}${start}${key} (null)`,
        actual: data,
        expected: new Float32Array(data.length),
        atol: ZERO_GRADIENT,
        rtol: 0,
      }));
    return [...stated, ...absent];
  }
}
