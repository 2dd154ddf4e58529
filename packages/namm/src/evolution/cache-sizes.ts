import type { TrialOutcome } from './trial.js';

/** Tokens per head that caches held. */
export interface CacheSizes {
  /** After an update, mean over updates, layers and heads; 0 when nothing was updated. */
  readonly mean: number;
  /** The same for each layer. */
  readonly layers: readonly number[];
  /** At the end of the text, mean over layers and heads. */
  readonly final: number;
}

const meanOf = (values: readonly number[]) =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;

/** Mean over trials. */
export function cacheSizes(outcomes: readonly TrialOutcome[]): CacheSizes {
  const updates = outcomes.flatMap(({ kept }) => kept);
  const layers = Array.from({ length: outcomes[0]?.lengths.length ?? 0 }, (_, layer) =>
    meanOf(updates.flatMap((update) => update[layer]!)),
  );
  return {
    mean: meanOf(layers),
    layers,
    final: meanOf(outcomes.flatMap(({ lengths }) => lengths.flat())),
  };
}

/** Mean over several members, or trials of several. */
export function meanSizes(sizes: readonly CacheSizes[]): CacheSizes {
  return {
    mean: meanOf(sizes.map(({ mean }) => mean)),
    layers: (sizes[0]?.layers ?? []).map((_, layer) => meanOf(sizes.map(({ layers }) => layers[layer]!))),
    final: meanOf(sizes.map(({ final }) => final)),
  };
}

/**
 * What a policy keeps, as a loss: at each update the tokens of a layer that pass, averaged over updates, layers and trials.
 * @param over the fullest head of a layer, or the whole part of the mean over its heads
 */
export function sparsityLoss(outcomes: readonly TrialOutcome[], over: 'max' | 'mean'): number {
  const layers = outcomes.flatMap(({ passing }) => passing.flat());
  return meanOf(layers.map((heads) => (over === 'max' ? Math.max(...heads) : Math.trunc(meanOf(heads)))));
}
