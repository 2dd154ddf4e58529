import type { GoldenCase } from '@palimpsest/base/golden';
import { type NDArray, Rng } from '@palimpsest/tensor-core';
import { featureForms, type OsamConfig, type OsamOptions, osamConfigSchema } from '../config.js';
import { createOsamModel, type OsamModel } from '../model.js';
import type { OsamParams } from '../parameters.js';
import { fromReferenceTensors, type NamedTensors, tablesFromReference } from '../reference-keys.js';

export interface LoadedModel {
  readonly model: OsamModel;
  readonly params: OsamParams<NDArray>;
}

/** A case's configuration in our terms; members that are not options of ours (table seeds) are left out. */
export function optionsOf(testCase: GoldenCase, mode: OsamConfig['mode']): OsamOptions {
  const known = Object.entries(testCase.config).filter(([name]) => name in osamConfigSchema.shape);
  return { vocabSize: 1, keepValueState: true, ...Object.fromEntries(known), mode };
}

/** Every form of the feature path that can compute a configuration. */
export function applicableForms(options: OsamOptions): OsamConfig['form'][] {
  const named = featureForms.filter((form) => form !== 'auto');
  return options.featureScale === 'rms' ? named.filter((form) => form !== 'bilinear') : named;
}

/** Builds the model of a case with its hash tables, and fills in its weights. */
export function loadModel(
  testCase: GoldenCase,
  mode: OsamConfig['mode'],
  form: OsamConfig['form'],
): LoadedModel {
  return modelOf(weightsOf(testCase, mode), { ...optionsOf(testCase, mode), form });
}

/** The same for a case of a single block: an embedding and a head of one token complete the model. */
export function loadBlock(testCase: GoldenCase, form: OsamConfig['form']): LoadedModel {
  const options = { ...optionsOf(testCase, 'parity'), form, vocabSize: 1 };
  const { dModel = 64 } = options;
  const unused = { shape: [1, dModel], data: new Float32Array(dModel) };
  const weights = new Map([...weightsOf(testCase, 'parity')]);
  return modelOf(weights.set('embed.weight', unused).set('head.weight', unused), options);
}

function modelOf(weights: NamedTensors, options: OsamOptions): LoadedModel {
  const model = createOsamModel(options, tablesFromReference(weights, createOsamModel(options).options));
  return { model, params: fromReferenceTensors(weights, model.init(Rng.fromSeed(0)), model.options) };
}

/** Weights by their reference names; a single block may be stored as a stack of one. */
function weightsOf(testCase: GoldenCase, mode: OsamConfig['mode']) {
  const isSingle = (optionsOf(testCase, mode).layers ?? 1) === 1;
  const local = (name: string) => (isSingle ? name.replace(/^blocks\.0\./, 'osam.') : name);
  return new Map([...testCase.weights()].map(([name, tensor]) => [local(name), tensor]));
}
