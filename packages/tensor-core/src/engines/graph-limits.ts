import { InputError } from '@palimpsest/base';

/** How much memory compiled graphs may take. */
export interface GraphLimits {
  /** Bytes of all graphs of an engine together. */
  readonly graphBytes: number;
  /** Bytes of frozen arguments that may become part of a graph. */
  readonly bakedBytes: number;
}

const MEBIBYTE = 2 ** 20;
const DEFAULTS: GraphLimits = { graphBytes: 2048 * MEBIBYTE, bakedBytes: 64 * MEBIBYTE };

/** @throws InputError for a limit that is no number of bytes. */
export function graphLimits(options: Partial<GraphLimits>): GraphLimits {
  const limits = {
    graphBytes: options.graphBytes ?? DEFAULTS.graphBytes,
    bakedBytes: options.bakedBytes ?? DEFAULTS.bakedBytes,
  };
  for (const [name, value] of Object.entries(limits)) {
    if (typeof value === 'number' && value >= 0) continue;
    throw new InputError(
      `The engine's option '${name}' is a number of bytes, 0 or more, but ${String(value)} was given.`,
    );
  }
  return limits;
}
