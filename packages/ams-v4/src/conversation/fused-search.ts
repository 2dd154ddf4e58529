import type { FusedHit, MemStore } from '@palimpsest/fiber-geometry';
import type { PerBundle } from '../prefix/cross-bundle-attention.js';
import type { Bm25 } from '../retrieval/bm25.js';
import { gate } from '../retrieval/gate.js';
import type { ConversationConfig } from './config.js';
import type { FoundMemory } from './memory-records.js';

/** Memories up to which all are scored. */
const SCORED_AT_ONCE = 4096;
const LEAST_CANDIDATES = 8;

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
  const count = store.length <= SCORED_AT_ONCE ? store.length : Math.max(k, LEAST_CANDIDATES);
  const found = store.searchFused(asked, weights, count);
  const hits = lexicalWeight > 0 ? withWords(found, words.scores(query), lexicalWeight) : found;
  const gated = gate(
    hits.map(({ score }) => score),
    { tau, k, pMin },
  );
  return gated.map(({ index, score, probability, kept }) => {
    const { id, cosines } = hits[index]!;
    return { mid: id, text: store.get(id)!.sourceText, score, probability, kept, parts: cosines };
  });
}

/** Hits with BM25 added, by rising id. */
function withWords(
  hits: readonly FusedHit[],
  lexical: ReadonlyMap<number, number>,
  weight: number,
): FusedHit[] {
  return hits
    .map((hit) => ({ ...hit, score: hit.score + weight * (lexical.get(hit.id) ?? 0) }))
    .sort((a, b) => a.id - b.id);
}
