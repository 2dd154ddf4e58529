import type { MemEntry } from './entry.js';

/**
 * Which entry leaves a full store: the one written first, the one not used for longest, or the one of lowest
 * surprise·exp(−(now − last)/τ).
 */
export type EvictionPolicy = 'oldest' | 'leastRecentlyUsed' | 'lowestScore';

/** The entry to evict; of equals the lowest id. Undefined when there is none. */
export function entryToEvict<Handle>(
  entries: Iterable<MemEntry<Handle>>,
  policy: EvictionPolicy,
  now: number,
  tau: number,
): MemEntry<Handle> | undefined {
  const worth = (entry: MemEntry<Handle>): number => {
    if (policy === 'oldest') return entry.ts;
    if (policy === 'leastRecentlyUsed') return entry.last;
    return entry.surprise * Math.exp(-(now - entry.last) / tau);
  };
  let weakest: MemEntry<Handle> | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const entry of entries) {
    const value = worth(entry);
    if (weakest && (value > least || (value === least && entry.mid > weakest.mid))) continue;
    weakest = entry;
    least = value;
  }
  return weakest;
}
