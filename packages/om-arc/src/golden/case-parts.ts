import { treeLeaves, treeMap } from '@palimpsest/base';
import type { GoldenCase, GoldenOutputs } from '@palimpsest/base/golden';
import { type Engine, type NDArray, runOnce as runOnEngine, type ToHost } from '@palimpsest/tensor-core';
import { type OmConfig, type OmOptions, omConfigSchema } from '../config.js';
import type { OmParams } from '../parameters.js';
import type { Correspondence } from '../weights/correspondence.js';
import { toNamed } from '../weights/correspondence.js';
import { loadReferenceWeights } from '../weights/model-keys.js';

/** `runOnce` of an engine that a golden context hands on. */
export function runOnce<Args extends readonly unknown[], Out>(
  engine: unknown,
  fn: (...args: Args) => Out,
  ...args: { [K in keyof Args]: ToHost<Args[K]> }
): Promise<ToHost<Out>> {
  return runOnEngine(engine as Engine, fn, ...(args as never));
}

/** The options that a case names, members of its configuration that are no options of ours left out. */
export function optionsOf(
  testCase: GoldenCase,
  overrides: Readonly<Record<string, unknown>> = {},
): OmOptions {
  const known = Object.entries(testCase.config).filter(([name]) => name in omConfigSchema.shape);
  const rope = (testCase.config.rope as ({ pct?: number } | null)[] | undefined)?.map((entry) =>
    entry && testCase.config.edition === 'readme' ? { pct: 1, ...entry } : entry,
  );
  return { ...Object.fromEntries(known), ...(rope && { rope }), padId: 0, ...overrides } as OmOptions;
}

/** Configuration and parameters of a case of the whole model. */
export function modelOf(testCase: GoldenCase): { config: OmConfig; params: OmParams<NDArray> } {
  const options = optionsOf(testCase, testCase.has('weights/embedder.weight') ? {} : { vocabOffset: 0 });
  const padId = testCase.member('padId', options.vocabSize - 1);
  return loadReferenceWeights({ ...options, padId }, testCase.weights());
}

/**
 * Gradients under the published names; where none arrives it is zero.
 * @param prefix in front of a name, as in `grad/`
 */
export function gradientOutputs(
  testCase: GoldenCase,
  correspondences: readonly Correspondence[],
  params: unknown,
  gradients: unknown,
  prefix = 'grad/',
): GoldenOutputs {
  const arrived = new Map(treeLeaves<NDArray>(gradients).map(({ path, leaf }) => [path, leaf]));
  const filled = treeMap<NDArray, NDArray>(
    params,
    (leaf, path) => arrived.get(path) ?? ({ ...leaf, data: new Float32Array(leaf.data.length) } as NDArray),
  );
  const none = new Set(testCase.member<string[]>('gradNone', []));
  const named = [...toNamed(filled, correspondences)].filter(
    ([key]) => testCase.has(prefix + key) || none.has(key),
  );
  return Object.fromEntries(named.map(([key, { data }]) => [prefix + key, data]));
}

/** `name/layer0`, `name/layer1`, ... of states per layer. */
export function stateOutputs(name: string, states: readonly NDArray[]): GoldenOutputs {
  return Object.fromEntries(states.map((state, layer) => [`${name}/layer${layer}`, state.data]));
}
