import type { NDArray } from '@palimpsest/tensor-core';
import type { StatePart, TextModel } from '../model/text-model.js';
import { type LongConversation, saidIn } from './read-locomo.js';
import type { ConversationParts } from './whitened.js';

/** Tokens of a turn that are read at most. */
const MOST_TOKENS = 256;

/** The layers whose states are taken: an early one, where words are still themselves, and a late one, where the turn was understood. */
const earlyLayer = (layers: number): number => Math.round(layers / 6);
const lateLayer = (layers: number): number => Math.round((5 * layers) / 6);

/**
 * What a frozen language model makes of every turn and question by itself: means of its token embeddings and of the states of an early
 * layer, rare tokens of the conversation weighted more, and of a late layer, all tokens alike but the first, where attention is parked.
 * @param note told of each conversation
 */
export async function statesOf(
  text: TextModel,
  conversations: readonly LongConversation[],
  note: (said: string) => void,
): Promise<ConversationParts[]> {
  const read: ConversationParts[] = [];
  const { layers } = text.model.options;
  for (const conversation of conversations) {
    const idsOf = (said: string) => text.encode(said).slice(0, MOST_TOKENS);
    const turns = saidIn(conversation).map(idsOf);
    const questions = conversation.questions.map((question) => idsOf(question.text));
    const rarity = rarityOf(turns);
    const rare = (ids: readonly number[]) => ids.map(rarity);
    const alike = (ids: readonly number[]) => ids.map((_, place) => (place > 0 || ids.length === 1 ? 1 : 0));
    const parts: StatePart[] = [
      { layer: 0, weights: rare },
      { layer: earlyLayer(layers), weights: rare },
      { layer: lateLayer(layers), weights: alike },
    ];
    const means = await text.means([...turns, ...questions], parts);
    const rowsOf = (from: number, count: number) => means.map((all) => rowsBetween(all, from, count));
    read.push({ turns: rowsOf(0, turns.length), questions: rowsOf(turns.length, questions.length) });
    note(`${conversation.id}: ${turns.length} turns and ${questions.length} questions read`);
  }
  return read;
}

/** ln((1 + turns) / (1 + turns with the token)) of a conversation's tokens. */
function rarityOf(turns: readonly (readonly number[])[]): (id: number) => number {
  const frequencies = new Map<number, number>();
  for (const ids of turns) for (const id of new Set(ids)) frequencies.set(id, (frequencies.get(id) ?? 0) + 1);
  return (id) => Math.log((1 + turns.length) / (1 + (frequencies.get(id) ?? 0)));
}

function rowsBetween({ data, shape }: NDArray, from: number, count: number): Float32Array[] {
  const width = shape[1]!;
  return Array.from({ length: count }, (_, row) =>
    Float32Array.from(data.slice((from + row) * width, (from + row + 1) * width)),
  );
}
