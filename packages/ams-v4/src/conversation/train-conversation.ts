import { InputError, type NDArray, Rng } from '@palimpsest/tensor-core';
import { joinRows, rowsAt } from '../key-values/token-rows.js';
import type { TextModel } from '../model/text-model.js';
import { WordRarity } from '../text/content-words.js';
import type { ConversationAdapters, FeatureStandard } from './adapters.js';
import {
  type ConversationConfig,
  type ConversationOptions,
  conversationConfig,
  inForm,
  leadInIds,
} from './config.js';
import { featuresOf, stacked, type TextFeatures } from './features.js';
import { fieldWidths, KakeyaRows } from './kakeya-rows.js';
import { memoryTokens } from './memory-tokens.js';
import { differences } from './predicted-rows.js';
import type { RowTokens } from './row-codec.js';
import { learnPrediction, RowPrediction } from './row-prediction.js';
import { Standardiser } from './standardiser.js';
import { type FeatureSession, type TrainHeadsOptions, trainHeads } from './train-heads.js';

/** A conversation to learn from: what was said, and questions about it. */
export interface TrainingSession {
  readonly facts: readonly string[];
  readonly queries: readonly {
    readonly text: string /** Place of the fact that answers it. */;
    readonly target: number;
  }[];
}

export interface TrainConversationOptions extends TrainHeadsOptions {
  readonly memory?: ConversationOptions;
  /** Sentences whose words tell which ones are rare. Default: the facts of the sessions. */
  readonly corpus?: readonly string[];
  /** Default 1. */
  readonly seed?: number;
}

/** Sessions whose facts the sets of keys and values are built from. */
const SESSIONS_OF_SETS = 60;
/** Rows that are enough for them, and numbers up to which more are taken for what tokens tell. */
const LEAST_ROWS = 4000;
const NUMBERS_OF_SETS = 8e6;

/**
 * Trains what a memory needs over a frozen language model: the maps of retrieval by contrast, and the Kakeya sets of keys and values
 * (DERIVATION.md, "Training a memory").
 * @throws InputError for a target that is no fact, or sessions without queries.
 */
export async function trainConversation(
  text: TextModel,
  sessions: readonly TrainingSession[],
  { memory, corpus, seed = 1, ...options }: TrainConversationOptions = {},
): Promise<ConversationAdapters> {
  checkTargets(sessions);
  const config = conversationConfig(memory);
  const facts = [...new Set(sessions.flatMap((session) => session.facts))];
  const questions = [...new Set(sessions.flatMap((session) => session.queries.map((query) => query.text)))];
  const rarity = WordRarity.of(corpus ?? facts);
  const tokenWeights =
    config.centroidWeights === 'idf' ? rarityOfTokens(text, config, facts, questions) : undefined;
  const { signal } = options;
  const isCoded = config.kvDtype === 'kakeya' && config.prefixMode === 'kv';
  const ofSets = new Set(isCoded ? sessions.slice(0, SESSIONS_OF_SETS).flatMap((one) => one.facts) : []);
  const read = (form: string, texts: readonly string[], wantsRows: (place: number) => boolean) =>
    featuresOf(text, config, form, texts, tokenWeights, signal, wantsRows);
  const factFeatures = await read(config.memoryForm, facts, (place) => ofSets.has(facts[place]!));
  const queryFeatures = await read(config.queryForm, questions, () => false);
  const memories = standardOf(factFeatures, text.width);
  const queries = standardOf(queryFeatures, text.width);
  const factOf = byText(facts, standardised(factFeatures, memories, text.width));
  const queryOf = byText(questions, standardised(queryFeatures, queries, text.width));
  const learned = sessions.map(
    (session): FeatureSession => ({
      facts: session.facts.map((fact) => factOf.get(fact)!),
      queries: session.queries.map((query) => ({ ...queryOf.get(query.text)!, target: query.target })),
    }),
  );
  const rng = Rng.fromSeed(seed);
  const heads = await trainHeads(text.engine, config, text.width, learned, rng, options);
  const leadIn = await leadInRows(text, config);
  const shared = {
    config,
    heads,
    memories,
    queries,
    rarity,
    ...(tokenWeights && { tokenWeights }),
    leadIn,
  };
  if (!isCoded) return shared;
  const kept = keptRows(
    text,
    shared,
    facts.flatMap((fact, i) => {
      const { rows } = factFeatures[i]!;
      return rows ? [{ fact, rows }] : [];
    }),
  );
  return { ...shared, ...setsOf(text, config, kept) };
}

/** The sets of keys and values, and where it is asked for what tokens tell of them. */
function setsOf(
  text: TextModel,
  { kvContext, kvBytesPerVec }: ConversationConfig,
  { rows, tokens }: KeptRows,
): Pick<ConversationAdapters, 'rows' | 'prediction'> {
  const { layers, keyValueHeads, headWidth } = text.model.options;
  const widths = fieldWidths(layers, 2 * keyValueHeads * headWidth);
  if (kvContext === 0) return { rows: KakeyaRows.build(rows, widths, kvBytesPerVec) };
  const prediction = learnPrediction(text.unitEmbeddings, rows, tokens, kvContext);
  const predicted = new RowPrediction(prediction, text.unitEmbeddings).rowsOf(tokens);
  return { rows: KakeyaRows.build(differences(rows, predicted), widths, kvBytesPerVec), prediction };
}

/** Keys and values of the lead-in of a configuration; nothing without one. */
export async function leadInRows(
  text: TextModel,
  config: ConversationConfig,
): Promise<NDArray<'float32'> | undefined> {
  const ids = leadInIds(text, config);
  return ids.length === 0 ? undefined : (await text.read([ids], 0, 0, true)).rows[0];
}

function checkTargets(sessions: readonly TrainingSession[]): void {
  sessions.forEach(({ facts, queries }, s) => {
    queries.forEach(({ text, target }) => {
      if (Number.isInteger(target) && target >= 0 && target < facts.length) return;
      throw new InputError(
        `The query '${text}' of session ${s} is answered by fact ${target}, but facts are 0 to ${facts.length - 1}.`,
      );
    });
  });
}

function standardOf(features: readonly TextFeatures[], width: number): FeatureStandard {
  return {
    centroid: Standardiser.of(
      stacked(
        features.map(({ centroid }) => centroid),
        width,
      ),
    ),
    hidden: Standardiser.of(
      stacked(
        features.map(({ hidden }) => hidden),
        width,
      ),
    ),
  };
}

function standardised(
  features: readonly TextFeatures[],
  { centroid, hidden }: FeatureStandard,
  width: number,
) {
  const rows = (vectors: Float32Array[], standard: Standardiser) => {
    const { data } = standard.apply(stacked(vectors, width));
    return vectors.map((_, row) => data.subarray(row * width, (row + 1) * width));
  };
  const centroids = rows(
    features.map((one) => one.centroid),
    centroid,
  );
  const states = rows(
    features.map((one) => one.hidden),
    hidden,
  );
  return features.map((_, i) => ({ centroid: centroids[i]!, hidden: states[i]! }));
}

const byText = <V>(texts: readonly string[], values: readonly V[]): Map<string, V> =>
  new Map(texts.map((text, i) => [text, values[i]!]));

/** ln((1 + D) / (1 + df)) of every token over the wrapped texts. */
function rarityOfTokens(
  text: TextModel,
  config: ConversationConfig,
  facts: readonly string[],
  questions: readonly string[],
): Float32Array {
  const wrapped = [
    ...facts.map((fact) => inForm(config.memoryForm, fact).whole),
    ...questions.map((question) => inForm(config.queryForm, question).whole),
  ];
  const frequencies = new Float64Array(text.model.options.vocabSize);
  for (const whole of wrapped) for (const id of new Set(text.encode(whole))) frequencies[id]! += 1;
  return Float32Array.from(frequencies, (df) => Math.log((1 + wrapped.length) / (1 + df)));
}

/** Rows of the tokens that memories keep, and the tokens. */
interface KeptRows {
  readonly rows: NDArray;
  readonly tokens: readonly RowTokens[];
}

function keptRows(
  text: TextModel,
  adapters: Pick<ConversationAdapters, 'config' | 'rarity'>,
  said: readonly { readonly fact: string; readonly rows: NDArray }[],
): KeptRows {
  const [parts, tokens]: [NDArray[], RowTokens[]] = [[], []];
  let count = 0;
  for (const { fact, rows } of said) {
    const own = memoryTokens(text, adapters, fact);
    parts.push(rowsAt(rows, own.places));
    tokens.push(own);
    count += own.places.length;
    if (count >= Math.max(LEAST_ROWS, NUMBERS_OF_SETS / rows.shape[1]!)) break;
  }
  return { rows: joinRows(parts), tokens };
}
