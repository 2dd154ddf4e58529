import type { GoldenCase, GoldenContext, GoldenOutputs, GoldenValue } from '@palimpsest/base/golden';
import type { DeviceArray } from '@palimpsest/tensor-core';
import { type Engine, InputError, type NDArray, ndarray, tf, treeLeaves } from '@palimpsest/tensor-core';
import type { ConnectionParameters } from '../connection.js';
import type { MetricParameters } from '../metric.js';
import type { MlpParameters } from '../parameters.js';

export const engineOf = (context: GoldenContext): Engine => context.engine as Engine;

/** Reads the inputs of one golden case as this package takes them, and collects its outputs. */
export class GeometryCase {
  readonly outputs: Record<string, GoldenOutputs[string]> = {};

  constructor(readonly source: GoldenCase) {}

  /** Gives an output of a name when the case expects it. */
  output(name: string, value: GoldenValue | (() => GoldenValue)): void {
    this.outputs[name] = typeof value === 'function' ? value : () => value;
  }

  /** A number of the configuration. @throws InputError when it is absent. */
  number(key: string): number {
    const value = this.source.config[key];
    if (typeof value === 'number') return value;
    throw new InputError(`The case '${this.source.name}' has no number '${key}' in its configuration.`);
  }

  has(name: string): boolean {
    return this.source.has(name);
  }

  /** Names of the case's tensors below a prefix, without it. */
  namesUnder(prefix: string): string[] {
    return this.source.names(prefix).map((name) => name.slice(prefix.length));
  }

  array(name: string): NDArray<'float32'> {
    const { data, shape } = this.source.tensor(name);
    return ndarray(Float32Array.from(data), shape);
  }

  /** The array as an argument of `runOnce`, whose functions see tensors. */
  input(name: string): tf.Tensor {
    return this.array(name) as unknown as tf.Tensor;
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
    return { net: this.net(prefix), generators: this.has(generators) ? this.array(generators) : undefined };
  }
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
