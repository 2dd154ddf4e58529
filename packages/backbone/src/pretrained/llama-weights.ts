import { formatShape, InputError, type NDArray, ndarray, treeToRecord, zeros } from '@palimpsest/base';
import type { TransformerConfig } from '../config.js';
import { makeParameters, type TransformerParameters } from '../parameters.js';
import { weightMap } from './weight-map.js';

/** Tensors under the names of Llama's checkpoints, as `model.layers.0.self_attn.q_proj.weight`. */
export type LlamaWeights = ReadonlyMap<string, Pick<NDArray, 'data' | 'shape'>>;

/**
 * Parameters from tensors that are at hand.
 * @throws InputError naming the first tensor that is missing or has another shape.
 */
export function fromLlamaWeights(
  config: TransformerConfig,
  weights: LlamaWeights,
): TransformerParameters<NDArray> {
  const parameters = makeParameters<NDArray>(config, (shape) => zeros(shape));
  const byPath = treeToRecord<NDArray>(parameters);
  for (const { key, shape, path, row = 0 } of weightMap('llama', config)) {
    const given = weights.get(key);
    if (given?.shape.join() !== shape.join()) {
      throw new InputError(
        `The weight '${key}' has the shape ${formatShape(shape)}, but ${given ? formatShape(given.shape) : 'nothing'} was given.`,
      );
    }
    byPath[path]!.data.set(given.data as Float32Array, row * (shape[1] ?? 1));
  }
  return parameters;
}

/** Parameters, or a tree like them, as tensors under Llama's names. */
export function toLlamaWeights(
  config: TransformerConfig,
  parameters: TransformerParameters<NDArray>,
): Map<string, NDArray> {
  const byPath = treeToRecord<NDArray>(parameters);
  return new Map(
    weightMap('llama', config).map(({ key, shape, path, row = 0 }) => {
      const size = shape.reduce((product, extent) => product * extent, 1);
      const from = row * (shape[1] ?? 1);
      return [key, ndarray(Float32Array.from(byPath[path]!.data.subarray(from, from + size)), shape)];
    }),
  );
}
