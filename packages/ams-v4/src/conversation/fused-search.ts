import type { MemStore } from '@palimpsest/fiber-geometry';
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
  const ids = candidates({ store, words, weights, config }, query, asked, k);
  const scores = store.fusedScores(asked, weights, ids);
  if (lexicalWeight > 0) {
    const lexical = words.scoresOf(query, ids);
    for (let i = 0; i < ids.length; i++) scores[i]! += lexicalWeight * lexical[i]!;
  }
  return gate(scores, { tau, k, pMin }).map(({ index, score, probability, kept }) => {
    const mid = ids[index]!;
    const [hit] = store.scoreFused(asked, weights, [mid]);
    return { mid, text: store.get(mid)!.sourceText, score, probability, kept, parts: hit!.cosines };
  });
}

/** Memories that are scored, by rising id: all, or what is best by the bundles and, where words count, by the words. */
function candidates(
  { store, words, weights, config }: Searched,
  query: string,
  asked: PerBundle<Float32Array>,
  k: number,
): number[] {
  if (store.length <= SCORED_AT_ONCE) return store.allMids();
  const byWords = config.lexicalWeight > 0;
  const count = Math.max(k, byWords ? LEAST_OF_EACH : LEAST_CANDIDATES);
  const near = store.searchFused(asked, weights, count).map(({ id }) => id);
  if (!byWords) return near.sort((a, b) => a - b);
  const named = words.best(query, count).map(({ id }) => id);
  return [...new Set([...near, ...named])].sort((a, b) => a - b);
}
