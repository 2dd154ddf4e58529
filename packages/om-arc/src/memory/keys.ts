import type { tf } from '@palimpsest/tensor-core';

/** What a row leaves for later rows in one attention, `[l·H, batch, keys, width]` each. */
export interface Keys {
  readonly key: tf.Tensor;
  readonly value: tf.Tensor;
  /** Unrotated, where the contextual positions need it and a rotary embedder changes it. */
  readonly plain?: tf.Tensor | undefined;
}

/** Keys made of those of one or more sets. */
export function keysOfStages(sets: readonly Keys[], combine: (tensors: tf.Tensor[]) => tf.Tensor): Keys {
  const all = (pick: (keys: Keys) => tf.Tensor) => combine(sets.map(pick));
  return {
    key: all(({ key }) => key),
    value: all(({ value }) => value),
    plain: sets[0]!.plain && all(({ plain }) => plain!),
  };
}

/** Keys of every pass and of every attention in it. */
export type MemoryKeys = readonly (readonly Keys[])[];
