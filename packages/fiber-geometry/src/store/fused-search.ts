import { InputError } from '@palimpsest/tensor-core';
import type { BundleName } from '../bundle.js';
import { checkCount, checkedVector } from '../indexes/vector-index.js';
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

/** Candidates of an index for each wanted result: an entry that is middling in all three bundles may still win together. */
const CANDIDATES_PER_RESULT = 4;

export type Directions = Readonly<Record<`${BundleName}Dirn`, Float32Array>>;

/** What a fused search looks at. */
export interface FusedSource {
  /** Number of entries. */
  readonly size: number;
  ids(): Iterable<number>;
  /** Ids that are near a query, `count` of each index that is looked into. */
  candidates(asked: readonly AskedBundle[], count: number): Iterable<number>;
  directions(id: number): Directions;
}

/** A query of one bundle, checked. */
export interface AskedBundle {
  readonly bundle: BundleName;
  /** Where entries keep their direction in it. */
  readonly member: keyof Directions;
  readonly weight: number;
  /** Of length one. */
  readonly unit: Float64Array;
}

/**
 * Weighted sums of true cosines over the candidates that the indexes give, sorted by falling score and then rising id. Where most
 * entries would be candidates all of them are looked at, without a search.
 * @throws InputError when there is no query at all, or a weight is not finite.
 */
export function fuse(query: FusedQuery, weights: FusedWeights, k: number, source: FusedSource): FusedHit[] {
  checkCount(k);
  const asked = checkedQueries(query, weights);
  const most = k * CANDIDATES_PER_RESULT;
  const ids = most < source.size ? source.candidates(asked, most) : source.ids();
  return hitsOf(asked, ids, source)
    .sort((a, b) => b.score - a.score || a.id - b.id)
    .slice(0, k);
}

/** The scores of given entries, in their order. @throws InputError as `fuse`. */
export function scoresAt(
  query: FusedQuery,
  weights: FusedWeights,
  ids: readonly number[],
  source: Pick<FusedSource, 'directions'>,
): Float64Array {
  const asked = checkedQueries(query, weights);
  return Float64Array.from(ids, (id) => scoreOf(asked, source.directions(id)));
}

/** The hits that given entries are, in their order. @throws InputError as `fuse`. */
export function fuseAt(
  query: FusedQuery,
  weights: FusedWeights,
  ids: Iterable<number>,
  source: Pick<FusedSource, 'directions'>,
): FusedHit[] {
  return hitsOf(checkedQueries(query, weights), ids, source);
}

function checkedQueries(query: FusedQuery, weights: FusedWeights): AskedBundle[] {
  const asked = BUNDLES.filter((bundle) => query[bundle] !== undefined);
  if (asked.length === 0) throw new InputError('A fused search needs a query for at least one bundle.');
  return asked.map((bundle) => {
    const weight = weights[bundle] ?? 1;
    if (!Number.isFinite(weight)) {
      throw new InputError(`The weight of '${bundle}' must be a finite number, but is ${weight}.`);
    }
    const unit = checkedVector(query[bundle]!, query[bundle]!.length, `The query of '${bundle}'`);
    return { bundle, member: `${bundle}Dirn`, weight, unit };
  });
}

function hitsOf(
  asked: readonly AskedBundle[],
  ids: Iterable<number>,
  source: Pick<FusedSource, 'directions'>,
): FusedHit[] {
  return [...ids].map((id) => {
    const cosines: Partial<Record<BundleName, number>> = {};
    return { id, score: scoreOf(asked, source.directions(id), cosines), cosines };
  });
}

/** The weighted sum of cosines. @param cosines takes the cosine of each bundle */
function scoreOf(
  asked: readonly AskedBundle[],
  directions: Directions,
  cosines?: Partial<Record<BundleName, number>>,
): number {
  let score = 0;
  for (const { bundle, member, weight, unit } of asked) {
    const cosine = cosineWith(directions[member], unit, bundle);
    if (cosines) cosines[bundle] = cosine;
    score += weight * cosine;
  }
  return score;
}

/** Cosine of a stored direction, of length one but for rounding, with a query of length one. */
function cosineWith(direction: Float32Array, unit: Float64Array, bundle: BundleName): number {
  if (direction.length !== unit.length) {
    throw new InputError(
      `The query of '${bundle}' must have ${direction.length} numbers, but has ${unit.length}.`,
    );
  }
  let [dot, squared] = [0, 0];
  for (let i = 0; i < direction.length; i++) {
    const value = direction[i]!;
    dot += value * unit[i]!;
    squared += value * value;
  }
  return dot / Math.sqrt(squared);
}
