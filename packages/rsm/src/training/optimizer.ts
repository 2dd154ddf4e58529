import { adamw, type NDArray, tf, treeLeaves, treeMap, zeros } from '@palimpsest/tensor-core';
import type { RsmParams } from '../parameters.js';

/** Gradients by parameter; undefined where none arrives. */
export type Gradients = unknown;

/** An optimiser as pure functions. A parameter without a gradient stays as it is, bit for bit: no decay either. */
export interface EpochOptimizer {
  /** The state before the first step, on the host. */
  init(params: RsmParams<NDArray>): unknown;
  update(
    params: RsmParams,
    gradients: Gradients,
    state: unknown,
    learningRate: tf.Tensor,
  ): { readonly params: RsmParams; readonly state: unknown };
}

export interface OptimizerOptions {
  /** Default adamw. */
  readonly name?: 'adamw' | 'sgd';
  /** AdamW: decay of the two running moments. Defaults 0.9 and 0.999. */
  readonly beta1?: number;
  readonly beta2?: number;
  /** AdamW: added to the root of the second moment. Default 1e-8. */
  readonly epsilon?: number;
  /** AdamW: decoupled, on every parameter, norms, biases and embeddings too. Default 0.01. */
  readonly weightDecay?: number;
}

/** The optimisers of the reference's notebooks (rsm.md 7): AdamW without parameter groups, or plain gradient descent. */
export function epochOptimizer(options: OptimizerOptions = {}): EpochOptimizer {
  if (options.name === 'sgd') return gradientDescent;
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0.01 } = options;
  const optimizer = adamw({ betas: [beta1, beta2], epsilon, weightDecay });
  return {
    init: (params) => optimizer.init(params),
    update: (params, gradients, state, learningRate) => {
      const updated = optimizer.update(params, gradients as never, state as never, { learningRate });
      return { params: updated.parameters, state: updated.state };
    },
  };
}

/** p ← p - learningRate · g. */
const gradientDescent: EpochOptimizer = {
  init: () => ({ step: zeros([]) }),
  update: (params, gradients, state, learningRate) => {
    const steps = new Map(
      treeLeaves<tf.Tensor | undefined>(gradients).map(({ path, leaf }) => [path, leaf] as const),
    );
    const moved = treeMap<tf.Tensor, tf.Tensor>(params, (leaf, path) => {
      const gradient = steps.get(path);
      return gradient ? tf.sub(leaf, tf.mul(gradient, learningRate)) : leaf;
    });
    const { step } = state as { step: tf.Tensor };
    return { params: moved as unknown as RsmParams, state: { step: tf.add(step, 1) } };
  },
};
