import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { searchInHops } from '../src/conversation/hops.js';
import {
  askedAgain,
  type ConversationAdapters,
  conversationConfig,
  type FoundMemory,
  KeyValueMemory,
  TextModel,
  trainConversation,
} from '../src/index.js';
import { withEngine } from './support/engine.js';
import { talks, wordModel } from './support/word-model.js';

const texts = ['friend is Bo', 'Bo has a dog', 'Al has a dog', 'rain'];
const found = (mid: number, rank: number): FoundMemory => ({
  mid,
  text: texts[mid]!,
  score: 1 - rank / 10,
  probability: 0.5,
  kept: rank === 0,
  parts: {},
});

/** What each query finds, and which were asked. */
function searching(lists: Record<string, readonly number[]>) {
  const asked: string[] = [];
  return {
    asked,
    search: async (queries: readonly string[], k: number) => {
      asked.push(...queries);
      return queries.map((query) => lists[query]!.slice(0, k).map((mid, rank) => found(mid, rank)));
    },
  };
}

const mids = (lists: readonly FoundMemory[][]) => lists.map((list) => list.map(({ mid }) => mid));

describe('what is asked next', () => {
  it('has each word that the memory adds in the place of what the question shares with it', () => {
    expect(
      askedAgain("My aunt's cousin is Bodfek.", "Where can my aunt's cousin's office be found?"),
    ).toEqual(["Where can is's office be found?", "Where can Bodfek's office be found?"]);
    expect(askedAgain('Bodfek sings.', 'Rain?')).toEqual(['Bodfek Rain?', 'sings Rain?']);
    expect(askedAgain('My aunt.', 'Who is my aunt?')).toEqual(['Who is my aunt?']);
  });
});

describe('searches in hops', () => {
  it('ask the second time with what the first one found, and keep the best of both', async () => {
    const { asked, search } = searching({
      dog: [0, 3, 2],
      'friend dog': [0],
      'is dog': [],
      'Bo dog': [0, 1, 2],
    });
    const lists = await searchInHops(['dog'], 4, 2, search);
    expect(asked).toEqual(['dog', ...askedAgain(texts[0]!, 'dog')]);
    expect(mids(lists)).toEqual([[0, 1, 3, 2]]);
    expect(lists[0]!.map(({ kept }) => kept)).toEqual([true, true, false, false]);
    expect(mids(await searchInHops(['dog'], 2, 2, search))).toEqual([[0, 1]]);
  });

  it('are one search with one hop, and end where nothing else is found', async () => {
    const { asked, search } = searching({ dog: [2, 1], Al: [2], has: [2], rain: [] });
    expect(mids(await searchInHops(['dog'], 2, 1, search))).toEqual([[2, 1]]);
    expect(asked).toEqual(['dog']);
    expect(mids(await searchInHops(['dog', 'rain'], 2, 2, search))).toEqual([[2, 1], []]);
  });
});

describe('a memory that searches twice', () => {
  const engine = withEngine();
  let text: TextModel;
  let adapters: ConversationAdapters;
  beforeAll(async () => {
    text = new TextModel(engine(), wordModel());
    adapters = await trainConversation(text, talks(20, 1), { steps: 20 });
  }, 300_000);
  afterAll(() => text.dispose());

  const facts = [
    "Tomas's best friend is Bodfek.",
    "Gunlar's dog is called Mochi.",
    "Bodfek's dog is called Rufus.",
    'Ice floats because it is lighter than water.',
    'A compass points north by magnetism.',
    'Goats have pupils shaped like bars.',
  ];
  const question = "What is Tomas's best friend's dog called?";
  const best = async (hops: number): Promise<number[]> => {
    const config = conversationConfig({ ...adapters.config, hops, lexicalWeight: 10 });
    const memory = new KeyValueMemory(text, { ...adapters, config });
    await memory.writeMany(facts);
    const [list] = await memory.retrieve([question], 2);
    await memory.dispose();
    return list!.map(({ mid }) => mid);
  };

  it('finds what holds of somebody whose name stands in another memory', async () => {
    expect(await best(2)).toEqual([0, 2]);
    expect(await best(1)).toEqual([0, 1]);
  });

  it('refuses to search never, or without end', () => {
    expect(() => conversationConfig({ hops: 0 })).toThrow("The option 'hops' of a memory");
    expect(() => conversationConfig({ hops: 9 })).toThrow("The option 'hops' of a memory");
  });
});
