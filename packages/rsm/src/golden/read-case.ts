import type { NDArray } from '@palimpsest/base';
import type { GoldenCase, GoldenOutputs } from '@palimpsest/base/golden';
import { Rng, treeLeaves } from '@palimpsest/tensor-core';
import { type RsmConfig, type RsmOptions, resolveConfig, rsmConfigSchema } from '../config.js';
import { initParameters, type RsmParams } from '../parameters.js';
import type { PresetName } from '../presets.js';
import { fromReferenceTensors, referenceKey } from '../reference-keys.js';

/** The case's configuration; members that are no options of ours are left out, fields that it lacks are irrelevant. */
export function configOf(
  testCase: GoldenCase,
  preset: PresetName = 'parity',
  overrides: Readonly<Record<string, unknown>> = {},
): RsmConfig {
  const given = Object.entries({ ...testCase.config, ...overrides });
  const known = given.filter(([name]) => name in rsmConfigSchema.shape);
  const base = { vocabSize: 1, useGlobalSync: false };
  return resolveConfig({ ...base, ...Object.fromEntries(known), preset } as RsmOptions);
}

/** The parameters of a whole model. */
export function paramsOf(testCase: GoldenCase, config: RsmConfig, prefix = ''): RsmParams<NDArray> {
  return fromReferenceTensors(testCase.weights(prefix), initParameters(config, Rng.fromSeed(0)));
}

/** The tokens or labels of the chunks of a case, int32 [batch, time] each. */
export const chunksOf = (testCase: GoldenCase, prefix: string): NDArray<'int32'>[] =>
  Array.from({ length: testCase.count(prefix) }, (_, index) => testCase.array<'int32'>(`${prefix}_${index}`));

/** Outputs under the names that they have when computed in one of several forms. */
export function inForm(form: string, outputs: GoldenOutputs): GoldenOutputs {
  return Object.fromEntries(Object.entries(outputs).map(([name, value]) => [`${name}@${form}`, value]));
}

/**
 * Gradients by their names in the case: those of a tree of parameters, and zeros for parameters that get none.
 * @param prefix of the names, as in `mlp.`
 */
export function gradientOutputs(
  testCase: GoldenCase,
  gradients: unknown,
  prefix = '',
  keyOf: (path: string) => string = referenceKey,
): GoldenOutputs {
  const start = `grad/${prefix}`;
  const none = testCase.names(start).map((name) => {
    const size = testCase.shape(name).reduce((product, extent) => product * extent, 1);
    return [name, new Float32Array(size)] as const;
  });
  const some = treeLeaves<NDArray>(gradients).map(
    ({ path, leaf }) => [start + keyOf(path), leaf.data as Float32Array] as const,
  );
  return Object.fromEntries([...none, ...some]);
}
