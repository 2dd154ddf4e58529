import { InputError } from '@palimpsest/tensor-core';
import type { Architecture } from '../architecture.js';
import type { AnySequenceModel } from '../sequence-model.js';

/**
 * The model with some of its architecture's parameter sets excluded from learning.
 * @throws InputError for a set that the architecture does not have.
 */
export function withFrozen(
  model: AnySequenceModel,
  { name, parameterSets = {} }: Pick<Architecture, 'name' | 'parameterSets'>,
  frozen: readonly string[],
): AnySequenceModel {
  if (frozen.length === 0) return model;
  const groups = frozen.map((set) => {
    const found = parameterSets[set];
    if (found) return { match: found.match, frozen: true };
    throw new InputError(
      `'${name}' has no parameter set '${set}' to freeze; it has ${Object.keys(parameterSets).join(', ') || 'none'}.`,
    );
  });
  return { ...model, parameterGroups: () => [...groups, ...(model.parameterGroups?.() ?? [])] };
}
