import { InputError, type QuantisedMatrix, type StoredMatrix, type tf } from '@palimpsest/tensor-core';
import { resolveConfig, type TransformerConfig, type TransformerOptions } from './config.js';
import { makeWithMatrices, type TransformerParameters } from './parameters.js';
import { type Transformer, transformerOver } from './transformer.js';

/** A matrix that stays as it is: with few bits, or in a file. */
export type FrozenMatrix = QuantisedMatrix | StoredMatrix;
/** Frozen matrices by path, as `blocks.0.up.weight`. */
export type FrozenMatrices = ReadonlyMap<string, FrozenMatrix>;
/** The weights that stay numbers of single precision: gains, biases, learned positions; by path. */
export type OtherParameters<T = tf.Tensor> = Readonly<Record<string, T>>;
/** A transformer that holds its frozen matrices and is given the rest. It is not trained. */
export type FrozenTransformer = Transformer<OtherParameters>;

/**
 * A transformer over frozen matrices, which become constants of its graphs.
 * @param matrices all matrices of the model
 * @throws InputError for a matrix that is missing or has other sizes.
 */
export function createFrozenTransformer(
  options: TransformerOptions,
  matrices: FrozenMatrices,
): FrozenTransformer {
  const config = resolveConfig(options);
  const init = () => {
    throw new InputError('Frozen matrices are read from a checkpoint; they cannot be begun anew.');
  };
  return transformerOver<OtherParameters>(config, withMatrices(config, matrices), init, matrices);
}

/**
 * All weights from those that are no matrices.
 * @throws InputError for a matrix that is missing or has other sizes.
 */
export function withMatrices(
  config: TransformerConfig,
  matrices: FrozenMatrices,
): (params: OtherParameters) => TransformerParameters<tf.Tensor, FrozenMatrix> {
  checkMatrices(config, matrices);
  return (params) =>
    makeWithMatrices<tf.Tensor, FrozenMatrix>(
      config,
      (_shape, _role, path) => params[path]!,
      (_shape, _role, path) => matrices.get(path)!,
    );
}

function checkMatrices(config: TransformerConfig, matrices: FrozenMatrices): void {
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
