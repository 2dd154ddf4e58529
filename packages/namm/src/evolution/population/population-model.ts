import type { Transformer, TransformerOptions, TransformerParameters } from '@palimpsest/backbone';
import { InputError, type NDArray, type ToHost } from '@palimpsest/tensor-core';
import type { NAMMConfig } from '../../config.js';

/** What a population is judged over: plain data, so that another process can have it. */
export interface PopulationModel {
  /** Options of the transformer whose cache is managed. */
  readonly transformer: TransformerOptions;
  /** Its weights, on the host. */
  readonly params: TransformerParameters<NDArray>;
  /** The policy that members are parameters of. */
  readonly config: NAMMConfig;
  /** Texts that are read side by side: members times trials. */
  readonly rows: number;
}

/**
 * Texts side by side, where nobody says otherwise. Members that keep little would pay for those that keep much: a member's own
 * samples are alike, and measured the fastest (bench/evolution.mjs).
 */
const DEFAULT_ROWS = 4;

/**
 * @param rows texts that are read side by side. Default 4; memory grows with them, results do not depend on who runs them
 * @throws InputError for a number of rows that is none.
 */
export function populationModel(
  transformer: Transformer,
  params: ToHost<TransformerParameters>,
  config: NAMMConfig,
  rows = DEFAULT_ROWS,
): PopulationModel {
  if (!Number.isInteger(rows) || rows < 1) {
    throw new InputError(`The number of texts read side by side is 1 or more, but ${rows} was given.`);
  }
  // Under the published eviction all texts of a batch keep as many tokens as the one that keeps most.
  return { transformer: transformer.options, params, config, rows: config.eviction === 'parity' ? 1 : rows };
}
