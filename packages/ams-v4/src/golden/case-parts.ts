import type { GoldenCase, GoldenContext, GoldenOutputs } from '@palimpsest/base/golden';
import {
  type Engine,
  InputError,
  type NDArray,
  ndarray,
  runOnce,
  type ToHost,
  type ToInput,
  tf,
  treeLeaves,
  treeMap,
} from '@palimpsest/tensor-core';
import {
  type MemoryConfig,
  type MemoryOptions,
  memoryConfig,
  memoryConfigSchema,
  presets,
} from '../config.js';

/** The options of a case with the published arithmetic; members that are no options of ours are left out. */
export function configOf(testCase: GoldenCase): MemoryConfig {
  const known = Object.entries(testCase.config).filter(([name]) => name in memoryConfigSchema.shape);
  const options: MemoryOptions = Object.fromEntries(known);
  return memoryConfig({ ...presets.reference, ...options });
}

/** Runs a function once on the engine of a context; everything comes back on the host. */
export function runCase<Args extends readonly unknown[], Out>(
  { engine }: GoldenContext,
  fn: (...args: Args) => Out,
  ...args: { [K in keyof Args]: ToInput<Args[K]> }
): Promise<ToHost<Out>> {
  return runOnce(engine as Engine, fn, ...args);
}

/**
 * A tree with the weights of a case.
 * @param template gives structure and shapes
 * @param prefix of the names below `weights/`, as in `encoder.`
 * @param absent paths that the case may leave out, which keep the template's values
 * @throws InputError for a weight that is missing or misshapen.
 */
export function weightsOf<P>(testCase: GoldenCase, template: P, prefix = '', absent?: RegExp): P {
  const weights = testCase.weights(prefix);
  return treeMap<NDArray, NDArray>(template, (leaf, path) => {
    const found = weights.get(path);
    if (!found && absent?.test(path)) return leaf;
    if (!found) throw new InputError(`The case '${testCase.name}' lacks the weight '${prefix}${path}'.`);
    if (found.shape.join() !== leaf.shape.join()) {
      throw new InputError(
        `The weight '${prefix}${path}' has the shape [${found.shape.join(', ')}] and not [${leaf.shape.join(', ')}].`,
      );
    }
    return ndarray(found.data, found.shape);
  }) as P;
}

/** Gradients of a tree under the names of its leaves, those that the case lists. */
export function gradientOutputs(testCase: GoldenCase, gradients: unknown, prefix = ''): GoldenOutputs {
  const named = treeLeaves<NDArray | undefined>(gradients).map(
    ({ path, leaf }) => [`grad/${prefix}${path}`, leaf] as const,
  );
  return Object.fromEntries(
    named.flatMap(([name, leaf]) => (leaf && testCase.has(name) ? [[name, leaf.data]] : [])),
  );
}

/** Σ value · cotangent. */
export const contract = (value: tf.Tensor, cotangent: tf.Tensor): tf.Tensor =>
  tf.sum(tf.mul(value, cotangent));
