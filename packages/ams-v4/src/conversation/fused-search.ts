import type { FusedHit, MemStore } from '@palimpsest/fiber-geometry';
import type { PerBundle } from '../prefix/cross-bundle-attention.js';
import type { Bm25 } from '../retrieval/bm25.js';
import { gate } from '../retrieval/gate.js';
import type { ConversationConfig } from './config.js';
import type { FoundMemory } from './memory-records.js';

/** Memories up to which all are scored. */
export const SCORED_AT_ONCE = 4096;
const LEAST_CANDIDATES = 8;
/** Where words count, as many more by the bundles and by the words each: what is best in both may be first in neither. */
const LEAST_OF_EACH = 64;

/** What a query is held against. */
export interface Searched {
  readonly store: MemStore;
  readonly words: Bm25;
  readonly weights: Readonly<PerBundle<number>>;
  readonly config: ConversationConfig;
}

/**
 * Memories for a query, best first, at most k: the weighted sum of the cosines in the bundles, and BM25 where words count.
 * @param asked directions of the query
 */
export function fusedSearch(
  { store, words, weights, config }: Searched,
  query: string,
  asked: PerBundle<Float32Array>,
  k: number,
): FoundMemory[] {
  const { lexicalWeight, tau, pMin } = config;
  const least = lexicalWeight > 0 ? LEAST_OF_EACH : LEAST_CANDIDATES;
  const count = store.length <= SCORED_AT_ONCE ? store.length : Math.max(k, least);
  const near = store.searchFused(asked, weights, count);
  const hits =
    lexicalWeight > 0 ? withWords(near, { store, words, weights, config }, query, asked, count) : near;
  const gated = gate(
    hits.map(({ score }) => score),
    { tau, k, pMin },
  );
  return gated.map(({ index, score, probability, kept }) => {
    const { id, cosines } = hits[index]!;
    return { mid: id, text: store.get(id)!.sourceText, score, probability, kept, parts: cosines };
  });
}

/** Hits of the bundles and those of the words, with BM25 added, by rising id. */
function withWords(
  near: readonly FusedHit[],
  { store, words, weights, config }: Searched,
  query: string,
  asked: PerBundle<Float32Array>,
  count: number,
): FusedHit[] {
  const known = new Set(near.map(({ id }) => id));
  const byWords = near.length === store.length ? [] : words.best(query, count);
  const others = byWords.map(({ id }) => id).filter((id) => !known.has(id));
  const hits = [...near, ...store.scoreFused(asked, weights, others)];
  const lexical = words.scoresOf(
    query,
    hits.map(({ id }) => id),
  );
  return hits
    .map((hit, i) => ({ ...hit, score: hit.score + config.lexicalWeight * lexical[i]! }))
    .sort((a, b) => a.id - b.id);
}
