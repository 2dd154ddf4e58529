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

/** What a fused search looks at. */
export interface FusedSource {
  /** Number of entries. */
  readonly size: number;
  ids(): Iterable<number>;
  search(bundle: BundleName, query: ArrayLike<number>, k: number): SearchHit[];
  directions(id: number): Readonly<Record<`${BundleName}Dirn`, Float32Array>>;
}

/**
 * Weighted sums of true cosines over the union of the bundles' candidates, sorted by falling score and then rising id. Where most
 * entries would be candidates all of them are looked at, without a search.
 * @throws InputError when there is no query at all, or a weight is not finite.
 */
export function fuse(query: FusedQuery, weights: FusedWeights, k: number, source: FusedSource): FusedHit[] {
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
    name: `${bundle}Dirn` as const,
    weight: weightOf(bundle),
    unit: checkedVector(query[bundle]!, query[bundle]!.length, `The query of '${bundle}'`),
  }));
  const most = k * CANDIDATES_PER_RESULT;
  const found = () =>
    new Set(queries.flatMap(({ bundle, unit }) => source.search(bundle, unit, most).map(({ id }) => id)));
  const hits = [...(most < source.size ? found() : source.ids())].map((id) => {
    const cosines: Partial<Record<BundleName, number>> = {};
    let score = 0;
    const directions = source.directions(id);
    for (const { bundle, name, weight, unit } of queries) {
      const cosine = cosineWith(directions[name], unit, bundle);
      cosines[bundle] = cosine;
      score += weight * cosine;
    }
    return { id, score, cosines };
  });
  return hits.sort((a, b) => b.score - a.score || a.id - b.id).slice(0, k);
}

/** Cosine of a stored direction, of length one but for rounding, with a query of length one. */
function cosineWith(direction: Float32Array, unit: Float64Array, bundle: BundleName): number {
  if (direction.length !== unit.length) {
    throw new InputError(
      `The query of '${bundle}' must have ${direction.length} numbers, but has ${unit.length}.`,
    );
  }
  let squared = 0;
  for (let i = 0; i < direction.length; i++) squared += direction[i]! * direction[i]!;
  return dotRow(direction, 0, unit, unit.length) / Math.sqrt(squared);
}
