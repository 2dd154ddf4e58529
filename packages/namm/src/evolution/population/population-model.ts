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
  /** Texts that are judged together, members times trials: they share what they have in common, and decode side by side. */
  readonly rows: number;
}

/** Texts that are judged together, where nobody says otherwise: half a generation of 16 members on 4 samples. */
export const DEFAULT_ROWS = 32;

/**
 * @param rows texts that are judged together. Default 32; memory grows with them, results do not depend on who runs them
 * @throws InputError for a number of rows that is none, or adaptive updates.
 */
export function populationModel(
  transformer: Transformer,
  params: ToHost<TransformerParameters>,
  config: NAMMConfig,
  rows = DEFAULT_ROWS,
): PopulationModel {
  if (!Number.isInteger(rows) || rows < 1) {
    throw new InputError(`The number of texts judged together is 1 or more, but ${rows} was given.`);
  }
  if (config.adaptive) {
    throw new InputError(
      'Members are read side by side and looked through together; evolve at a fixed updateInterval, and make the policy that comes out adaptive.',
    );
  }
  // Under the published eviction all texts of a batch keep as many tokens as the one that keeps most.
  return { transformer: transformer.options, params, config, rows: config.eviction === 'parity' ? 1 : rows };
}
