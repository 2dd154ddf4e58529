import { type NDArray, type ParameterGroup as OptimizerGroup, treeLeaves } from '@palimpsest/tensor-core';
import type { AnySequenceModel } from '../sequence-model.js';

/** How one parameter is trained. */
export interface ParameterRule {
  readonly path: string;
  /** Factor on the learning rate. */
  readonly rate: number;
  /** Decoupled weight decay. */
  readonly weightDecay: number;
  readonly frozen: boolean;
  /** The pattern of the group that decided, or `default`. */
  readonly group: string;
}

export interface DecayOptions {
  readonly weightDecay: number;
  /** `matrices`: arrays of rank >= 2 that are no embeddings. `all`: every parameter. */
  readonly decayed: 'matrices' | 'all';
}

const EMBEDDING = /embed/i;

/**
 * The rule of every parameter of a model. Weight decay is for matrices: scalars, biases, gains and embeddings are left
 * alone, and whatever else a model's own groups say, unless `decayed` is `all`. The groups also change the rate or freeze;
 * the first that matches decides.
 * @param params any tree of arrays with shapes.
 */
export function parameterRules(
  model: Pick<AnySequenceModel, 'parameterGroups'>,
  params: unknown,
  options: DecayOptions,
): ParameterRule[] {
  const groups = model.parameterGroups?.() ?? [];
  return treeLeaves<Pick<NDArray, 'shape'>>(params).map(({ path, leaf }) => {
    const group = groups.find(({ match }) => path.search(match) >= 0);
    const isMatrix = leaf.shape.length >= 2 && !EMBEDDING.test(path);
    const decays = options.decayed === 'all' || (group?.decays ?? isMatrix);
    return {
      path,
      rate: group?.rate ?? 1,
      weightDecay: decays ? options.weightDecay : 0,
      frozen: group?.frozen ?? false,
      group: group ? group.match.source : 'default',
    };
  });
}

/** The rules as the optimiser's groups. */
export function optimizerGroups(rules: readonly ParameterRule[]): OptimizerGroup[] {
  return rules.map(({ path, rate, weightDecay }) => ({
    match: (other) => other === path,
    rateMultiplier: rate,
    weightDecay,
  }));
}
