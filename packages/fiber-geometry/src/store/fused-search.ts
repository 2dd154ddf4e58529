import { InputError } from '@palimpsest/tensor-core';
import type { BundleName } from '../bundle.js';
import { checkCount, checkedVector, dotRow, type SearchHit } from '../indexes/vector-index.js';
import { BUNDLES } from './entry.js';

/** A query direction per bundle; bundles left out do not count. */
export type FusedQuery = Partial<Record<BundleName, ArrayLike<number>>>;
export type FusedWeights = Partial<Record<BundleName, number>>;

export interface FusedHit {
  readonly id: number;
  /** Weighted sum of cosines. */
  readonly score: number;
  readonly cosines: Partial<Record<BundleName, number>>;
}

/** Candidates per bundle for each wanted result: an entry that is middling in all three may still win together. */
const CANDIDATES_PER_RESULT = 4;

/**
 * Weighted sums of true cosines over the union of the bundles' candidates, sorted by falling score and then rising id.
 * @throws InputError when there is no query at all, or a weight is not finite.
 */
export function fuse(
  query: FusedQuery,
  weights: FusedWeights,
  k: number,
  search: (bundle: BundleName, query: ArrayLike<number>, k: number) => SearchHit[],
  direction: (id: number, bundle: BundleName) => Float32Array,
): FusedHit[] {
  checkCount(k);
  const asked = BUNDLES.filter((bundle) => query[bundle] !== undefined);
  if (asked.length === 0) throw new InputError('A fused search needs a query for at least one bundle.');
  const weightOf = (bundle: BundleName) => weights[bundle] ?? 1;
  for (const bundle of asked) {
    if (Number.isFinite(weightOf(bundle))) continue;
    throw new InputError(`The weight of '${bundle}' must be a finite number, but is ${weightOf(bundle)}.`);
  }
  const queries = asked.map((bundle) => ({
    bundle,
    weight: weightOf(bundle),
    unit: checkedVector(query[bundle]!, query[bundle]!.length, `The query of '${bundle}'`),
  }));
  const candidates = new Set(
    queries.flatMap(({ bundle, unit }) =>
      search(bundle, unit, k * CANDIDATES_PER_RESULT).map(({ id }) => id),
    ),
  );
  const hits = [...candidates].map((id) => {
    const cosines: Partial<Record<BundleName, number>> = {};
    let score = 0;
    for (const { bundle, weight, unit } of queries) {
      const own = Float32Array.from(checkedVector(direction(id, bundle), unit.length, 'A stored direction'));
      cosines[bundle] = dotRow(own, 0, unit, unit.length);
      score += weight * cosines[bundle];
    }
    return { id, score, cosines };
  });
  return hits.sort((a, b) => b.score - a.score || a.id - b.id).slice(0, k);
}
