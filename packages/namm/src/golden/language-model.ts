import {
  createTransformer,
  fromLlamaWeights,
  type Transformer,
  type TransformerParameters,
} from '@palimpsest/backbone';
import type { GoldenCase } from '@palimpsest/base/golden';
import { type NDArray, ndarray } from '@palimpsest/tensor-core';

/** The Llama-shaped model of a case, and its weights. */
export function languageModel(
  testCase: GoldenCase,
  given: Readonly<Record<string, number>>,
): { model: Transformer; params: TransformerParameters<NDArray> } {
  const { vocabSize, dModel, dFf, nLayers, nHeads, nKvHeads, normEps, ropeTheta } = given;
  const model = createTransformer({
    vocabSize: vocabSize!,
    modelWidth: dModel!,
    mlpWidth: dFf!,
    layers: nLayers!,
    heads: nHeads!,
    keyValueHeads: nKvHeads!,
    normEpsilon: normEps!,
    rotaryBase: ropeTheta!,
    ...{ positions: 'rotary', norm: 'rms', activation: 'swiglu', tiedHead: false, context: 64 },
  });
  const weights = new Map(
    [...testCase.weights()]
      .filter(([name]) => !name.startsWith('namm.'))
      .map(([name, { data, shape }]) => [name, ndarray(data, shape)] as const),
  );
  return { model, params: fromLlamaWeights(model.options, weights) };
}
