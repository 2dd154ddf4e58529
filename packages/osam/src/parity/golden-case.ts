import { InputError, type NDArray, Rng } from '@palimpsest/tensor-core';
import { type OsamOptions, osamConfigSchema } from '../config.js';
import { createOsamModel, type OsamModel } from '../model.js';
import type { OsamParams } from '../parameters.js';
import { fromReferenceTensors, type NamedTensors, tablesFromReference } from '../reference-keys.js';
import type { ParityCase, ParityOutput, ParityTensor } from './types.js';

interface Tolerance {
  readonly atol?: number;
  readonly rtol?: number;
}

/** Reads a golden case: configuration, weights, tensors and tolerances. */
export class GoldenCase {
  constructor(readonly source: ParityCase) {}

  tensor(name: string): ParityTensor {
    const tensor = this.source.tensors.get(name);
    if (!tensor) throw new InputError(`The case '${this.source.name}' lacks the tensor '${name}'.`);
    return tensor;
  }

  has(name: string): boolean {
    return this.source.tensors.has(name);
  }

  /** A tensor as a host array. */
  array(name: string): NDArray {
    const { data, shape, dtype } = this.tensor(name);
    return dtype === 'I32'
      ? { data: data as Int32Array, shape, dtype: 'int32' }
      : { data: data as Float32Array, shape, dtype: 'float32' };
  }

  /** A member of the JSON, or a default. */
  member<T>(name: string, otherwise: T): T {
    return (this.source.json[name] as T | undefined) ?? otherwise;
  }

  /** The case's configuration in our terms; members that are not options of ours (table seeds) are left out. */
  options(mode: 'parity' | 'improved'): OsamOptions {
    const given = this.member<Record<string, unknown>>('config', {});
    const known = Object.entries(given).filter(([name]) => name in osamConfigSchema.shape);
    return { vocabSize: 1, keepValueState: true, ...Object.fromEntries(known), mode } as OsamOptions;
  }

  /** Weights by their reference names; a single block may be stored as a stack of one. */
  weights(): NamedTensors {
    const named = [...this.source.tensors].filter(([name]) => name.startsWith('weights/'));
    const single = (this.options('parity').layers ?? 1) === 1;
    return new Map(
      named.map(([name, tensor]) => {
        const key = name.slice('weights/'.length);
        const local = single ? key.replace(/^blocks\.0\./, 'osam.') : key;
        return [local, { data: tensor.data as Float32Array, shape: tensor.shape }];
      }),
    );
  }

  /** The model of the case, with overrides, and its parameters. */
  model(overrides: Partial<OsamOptions> = {}, mode: 'parity' | 'improved' = 'parity'): LoadedModel {
    const options = { ...this.options(mode), ...overrides };
    const plain = createOsamModel(options);
    const weights = this.weights();
    const model = createOsamModel(options, tablesFromReference(weights, plain.options));
    const template = model.init(Rng.fromSeed(0)) as OsamParams<NDArray>;
    return { model, params: fromReferenceTensors(weights, template, model.options) };
  }

  /** A compared output with the tolerance that the case states for it. */
  output(
    name: string,
    actual: ArrayLike<number> | string,
    expected: ArrayLike<number> | string,
    group?: string,
  ): ParityOutput {
    const { exact, ...rest } = this.member<Record<string, unknown>>('tolerances', {});
    const specific = (group === undefined ? undefined : rest[group]) as Tolerance | undefined;
    const { atol = 0, rtol = 0 } = { ...(rest as Tolerance), ...specific };
    const isExact = exact === true || (Array.isArray(exact) && exact.includes(group ?? name));
    return { name, actual, expected, atol, rtol, ...(isExact && { exact: true }) };
  }
}

export interface LoadedModel {
  readonly model: OsamModel;
  readonly params: OsamParams<NDArray>;
}
