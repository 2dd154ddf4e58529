import { InputError, type QuantisedMatrix, type tf } from '@palimpsest/tensor-core';
import { resolveConfig, type TransformerConfig, type TransformerOptions } from './config.js';
import { type AnyMatrix, makeWithMatrices } from './parameters.js';
import { type Transformer, transformerOver } from './transformer.js';

/** Matrices with few bits, by path, as `blocks.0.up.weight`. */
export type QuantisedMatrices = ReadonlyMap<string, QuantisedMatrix>;
/** The weights that stay numbers of single precision: gains, biases, learned positions; by path. */
export type OtherParameters<T = tf.Tensor> = Readonly<Record<string, T>>;
/** A transformer that holds its matrices with few bits and is given the rest. It is not trained. */
export type QuantisedTransformer = Transformer<OtherParameters>;

/**
 * A transformer over matrices of 4 or 8 bits, which become constants of its graphs.
 * @param matrices all matrices of the model
 * @throws InputError for a matrix that is missing or has other sizes.
 */
export function createQuantisedTransformer(
  options: TransformerOptions,
  matrices: QuantisedMatrices,
): QuantisedTransformer {
  const config = resolveConfig(options);
  checkMatrices(config, matrices);
  return transformerOver<OtherParameters>(
    config,
    (params) =>
      makeWithMatrices<tf.Tensor, AnyMatrix>(
        config,
        (_shape, _role, path) => params[path]!,
        (_shape, _role, path) => matrices.get(path)!,
      ),
    () => {
      throw new InputError('Matrices of 4 or 8 bits are read from a checkpoint; they cannot be begun anew.');
    },
  );
}

function checkMatrices(config: TransformerConfig, matrices: QuantisedMatrices): void {
  makeWithMatrices(
    config,
    () => undefined,
    ([outputs, inputs], _role, path) => {
      const matrix = matrices.get(path);
      if (matrix?.outputs === outputs && matrix?.inputs === inputs) return;
      const given = matrix ? `[${matrix.outputs}, ${matrix.inputs}]` : 'nothing';
      throw new InputError(
        `The matrix '${path}' has the shape [${outputs}, ${inputs}], but ${given} was given.`,
      );
    },
  );
}
