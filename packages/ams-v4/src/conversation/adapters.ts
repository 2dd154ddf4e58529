import type { NDArray } from '@palimpsest/tensor-core';
import type { WordRarity } from '../text/content-words.js';
import type { ConversationConfig } from './config.js';
import type { HeadParameters } from './heads.js';
import type { KakeyaRows } from './kakeya-rows.js';
import type { RowMaps } from './row-prediction.js';
import type { Standardiser } from './standardiser.js';

/** Standardisers of centroids and states. */
export interface FeatureStandard {
  readonly centroid: Standardiser;
  readonly hidden: Standardiser;
}

/** What is trained for a language model once, and belongs to every memory over it. */
export interface ConversationAdapters {
  readonly config: ConversationConfig;
  readonly heads: HeadParameters<NDArray>;
  readonly memories: FeatureStandard;
  readonly queries: FeatureStandard;
  /** Rarity of words in the training corpus. */
  readonly rarity: WordRarity;
  /** Weights of tokens in the centroid, `[vocabSize]`; absent where all count alike. */
  readonly tokenWeights?: Float32Array;
  /** Keys and values of the lead-in, `[tokens, cachedRowWidth]`; absent without one. */
  readonly leadIn?: NDArray<'float32'> | undefined;
  /** Sets of keys and values; absent where they are kept in another form. */
  readonly rows?: KakeyaRows;
  /** What tokens tell of their keys and values; the sets then hold what differs. */
  readonly prediction?: RowMaps;
}
