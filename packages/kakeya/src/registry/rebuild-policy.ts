import type { KakeyaConfig } from '../config.js';

const DECAY = 0.95;
const GROWTH_BETWEEN_DRIFT_REBUILDS = 1.5;

/** Running mean of the relative error of new records, weight 0.05 for the newest; null before the first. */
export function updatedMean(mean: number | null, relErr: number): number {
  return mean === null ? relErr : DECAY * mean + (1 - DECAY) * relErr;
}

export interface RebuildSituation {
  /** Entries now, and at the last build. */
  readonly n: number;
  readonly builtAt: number;
  /** Running mean error of every set, null where nothing was encoded yet. */
  readonly means: readonly (number | null)[];
  /** Entries at which the current skeletons pay for themselves, or null if they never do. */
  readonly breakEvenN: number | null;
}

/**
 * Rebuild when n has reached the next kakeyaMinEntries * 2^k, or when new records fit badly and n has grown by half
 * since the last build. The "breakEven" policy also waits until the skeletons pay for themselves.
 */
export function rebuildIsDue(config: KakeyaConfig, now: RebuildSituation): boolean {
  if (config.mode === 'parity' || config.rebuildPolicy === 'never') return false;
  if (config.rebuildPolicy === 'breakEven' && (now.breakEvenN === null || now.n < now.breakEvenN))
    return false;
  let next = config.kakeyaMinEntries;
  while (next <= now.builtAt) next *= 2;
  if (now.n >= next) return true;
  const drifted = now.means.some((mean) => mean !== null && mean > config.kakeyaReconstructionTol);
  return drifted && now.n >= GROWTH_BETWEEN_DRIFT_REBUILDS * now.builtAt;
}
