import { type TokenSpan, tokenSpans } from '@palimpsest/lm';
import type { TextModel } from '../model/text-model.js';
import { contentTokens, type WordRarity } from '../text/content-words.js';
import type { ConversationAdapters } from './adapters.js';
import { type ConversationConfig, idsBehindLeadIn, inForm } from './config.js';
import type { RowTokens } from './row-codec.js';

/** The tokens of a text that is remembered, and the places of those that are kept. */
export function memoryTokens(
  text: TextModel,
  { config, rarity }: Pick<ConversationAdapters, 'config' | 'rarity'>,
  said: string,
): RowTokens {
  const { whole, start } = inForm(config.memoryForm, said);
  const ids = idsBehindLeadIn(text, config, whole);
  const spans = tokenSpans(text.tokenizer, whole, ids);
  return { ids, places: keptTokens(config, whole, start, spans, rarity) };
}

/**
 * Places of the tokens whose keys and values are kept: by default those of the text and of what ends the line, without the label
 * before it; or so many content tokens with the ends of the line (DERIVATION.md, "Key and value memory").
 * @param spans of all tokens of the text in its form
 * @param start where the text begins in its form
 */
function keptTokens(
  { kvTokens, kvEnds }: Pick<ConversationConfig, 'kvTokens' | 'kvEnds'>,
  whole: string,
  start: number,
  spans: readonly TokenSpan[],
  rarity: WordRarity,
): number[] {
  const all = spans.map((_, place) => place);
  if (kvTokens === 'all') return all;
  const first = spans.findIndex(({ end }) => end > start);
  if (kvTokens === 'text') return first === -1 ? all : all.slice(first);
  // The label is no part of the text, so its words do not count.
  const own = spans.map((span) => ({
    start: Math.max(span.start, start) - start,
    end: Math.max(span.end, start) - start,
  }));
  const content = contentTokens(whole.slice(start), own, rarity, kvTokens);
  const ends = kvEnds === 'none' ? [] : kvEnds === 'last' ? [spans.length - 1] : [0, spans.length - 1];
  return [...new Set([...content, ...ends])].sort((a, b) => a - b);
}
