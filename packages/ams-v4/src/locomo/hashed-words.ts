import { fnv1a } from '@palimpsest/base';
import { Bm25 } from '../retrieval/bm25.js';
import { type LongConversation, saidIn, wordsIn } from './read-locomo.js';
import type { ConversationParts } from './whitened.js';

/** Numbers of a text. */
const WIDTH = 512;
/** Letters of the pieces of a word. */
const PIECES = [3, 4, 5];
const BYTES = new TextEncoder();

/**
 * Turns and questions without any language model: every word and its pieces of three to five letters add or take one at a place that
 * their hash says, rare words of the conversation more.
 */
export function hashedWords(conversation: LongConversation): ConversationParts {
  const said = saidIn(conversation);
  const words = new Bm25({ words: wordsIn });
  said.forEach((text, place) => {
    words.add(place, text);
  });
  const known = new Map<string, Float32Array>();
  const vectorOf = (word: string) => {
    const vector = known.get(word) ?? hashed(word, words.rarity(word));
    known.set(word, vector);
    return vector;
  };
  const rowOf = (text: string) => {
    const row = new Float32Array(WIDTH);
    for (const word of wordsIn(text)) {
      const vector = vectorOf(word);
      for (let i = 0; i < WIDTH; i++) row[i]! += vector[i]!;
    }
    return row;
  };
  return { turns: [said.map(rowOf)], questions: [conversation.questions.map(({ text }) => rowOf(text))] };
}

function hashed(word: string, rarity: number): Float32Array {
  const closed = `^${word}$`;
  const pieces = PIECES.flatMap((size) =>
    Array.from({ length: Math.max(0, closed.length - size + 1) }, (_, at) => closed.slice(at, at + size)),
  );
  const vector = new Float32Array(WIDTH);
  const add = (key: string, weight: number) => {
    const hash = fnv1a(BYTES.encode(key));
    vector[hash % WIDTH]! += (hash >>> 31 === 1 ? 1 : -1) * weight * rarity;
  };
  add(word, 1);
  for (const piece of pieces) add(piece, 1 / Math.sqrt(1 + pieces.length));
  return vector;
}
