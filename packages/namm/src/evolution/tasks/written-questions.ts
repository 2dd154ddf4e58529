import type { Rng } from '@palimpsest/base';
import type { Background } from './background.js';
import type { Split } from './evolution-task.js';
import { changedFacts, factsFirst, plantedFacts } from './planted-facts.js';
import type { TextQuestion } from './text-sample.js';

/** What a question is written with. */
export interface Writing {
  readonly rng: Rng;
  readonly split: Split;
  readonly background: Background;
  /** About as many characters as there is room for. */
  readonly characters: number;
}

/** Writes questions of one kind, each about as long as there is room for. */
export type Writer = (writing: Writing) => TextQuestion;

const LETTERS = 'abcdefghijklmnopqrstuvwxyz';

/** A word that nobody knows. */
function newWord(rng: Rng, length: number): string {
  return Array.from({ length }, () => LETTERS[rng.int(LETTERS.length)]!).join('');
}

/** Different words. */
function newWords(rng: Rng, count: number, length: number): string[] {
  const words = new Set<string>();
  while (words.size < count) words.add(newWord(rng, length));
  return [...words];
}

function shuffled<T>(rng: Rng, items: readonly T[]): T[] {
  return [...rng.permutation(items.length)].map((index) => items[index]!);
}

/** Pieces of background that take what room the facts leave, one before each of them and one after the last. */
function interleave({ rng, split, background, characters }: Writing, facts: readonly string[]): string {
  const taken = facts.reduce((sum, fact) => sum + fact.length + 2, 0);
  const room = Math.max(0, characters - taken);
  const cuts = facts.map(() => rng.int(room + 1)).sort((a, b) => a - b);
  const lengths = [...cuts, room].map((cut, i) => cut - (cuts[i - 1] ?? 0));
  return lengths
    .flatMap((length, i) => [length > 2 ? background.passage(rng, split, length) : '', facts[i] ?? ''])
    .filter((part) => part !== '')
    .join('\n');
}

/** Which numbered paragraph has a given sentence? */
const passageRetrieval: Writer = ({ rng, split, background, characters }) => {
  const count = Math.max(2, Math.min(30, Math.floor(characters / 250)));
  const length = Math.floor(characters / count) - 16;
  const passages = Array.from({ length: count }, () => background.passage(rng, split, Math.max(40, length)));
  const right = rng.int(count);
  const words = passages[right]!.split(/\s+/);
  const from = rng.int(Math.max(1, words.length - 8));
  const quoted = words.slice(from, from + 8).join(' ');
  const listed = passages.map((passage, i) => `Paragraph ${i + 1}: ${passage}`).join('\n');
  return {
    prompt: `${listed}\nThe words "${quoted}" are in Paragraph `,
    golds: [String(right + 1)],
    metric: 'retrieval',
  };
};

const fact = (key: string, value: string) => `The word of ${key} is ${value}.`;
const asked = (key: string) => `\nThe word of ${key} is `;

/** Many keys, each with a word; one is asked for. */
const keyValueRecall: Writer = (writing) => {
  const { rng, characters } = writing;
  const count = Math.max(2, Math.min(24, Math.floor(characters / 120)));
  const keys = newWords(rng, count, 5);
  const values = newWords(rng, count, 4);
  const chosen = rng.int(count);
  return {
    prompt:
      interleave(
        writing,
        keys.map((key, i) => fact(key, values[i]!)),
      ) + asked(keys[chosen]!),
    golds: [values[chosen]!],
    metric: 'qaF1',
    firstLineOnly: true,
  };
};

/** A few facts far apart; all of them are asked for. */
const multiNeedle: Writer = (writing) => {
  const { rng } = writing;
  const keys = newWords(rng, 3, 5);
  const values = newWords(rng, 3, 4);
  const order = shuffled(rng, [0, 1, 2]);
  const names = order.map((i) => keys[i]!).join(', ');
  return {
    prompt: `${interleave(
      writing,
      keys.map((key, i) => fact(key, values[i]!)),
    )}\nThe words of ${names} are `,
    golds: [order.map((i) => values[i]!).join(', ')],
    metric: 'qaF1',
    firstLineOnly: true,
  };
};

/** Paragraphs, some of them repeated: how many different ones are there? */
const passageCount: Writer = ({ rng, split, background, characters }) => {
  const count = Math.max(3, Math.min(12, Math.floor(characters / 150)));
  const length = Math.max(40, Math.floor(characters / count) - 16);
  const different = 1 + rng.int(count);
  const passages = Array.from({ length: different }, () => background.passage(rng, split, length));
  const all = [
    ...passages,
    ...Array.from({ length: count - different }, () => passages[rng.int(different)]!),
  ];
  const listed = shuffled(rng, all).map((passage, i) => `Paragraph ${i + 1}: ${passage}`);
  return {
    prompt: `${listed.join('\n')}\nThe number of different paragraphs is `,
    golds: [String(new Set(all).size)],
    metric: 'count',
  };
};

/** The same few paragraphs over and over, with a fact in one of them: forgetting copies costs nothing. */
const duplicates: Writer = ({ rng, split, background, characters }) => {
  const length = Math.max(60, Math.min(200, Math.floor(characters / 6)));
  const passages = Array.from({ length: 3 }, () => background.passage(rng, split, length));
  const [key, value] = [newWord(rng, 5), newWord(rng, 4)];
  const repeats = Math.max(2, Math.floor((characters - 80) / (length + 1)));
  const copies = Array.from({ length: repeats }, () => passages[rng.int(3)]!);
  copies.splice(rng.int(repeats), 0, fact(key, value));
  return { prompt: copies.join('\n') + asked(key), golds: [value], metric: 'qaF1', firstLineOnly: true };
};

/** Marked words among others; the marked ones are wanted in their order. */
const noisyCopy: Writer = (writing) => {
  const { rng } = writing;
  const words = newWords(rng, 4, 4);
  return {
    prompt: `${interleave(
      writing,
      words.map((word) => `> ${word}`),
    )}\nThe marked words are `,
    golds: [words.join(' ')],
    metric: 'rougeL',
    firstLineOnly: true,
  };
};

/** Kinds of written questions, by name. */
export const writers = {
  passageRetrieval,
  keyValueRecall,
  multiNeedle,
  passageCount,
  duplicates,
  noisyCopy,
  plantedFacts,
  factsFirst,
  changedFacts,
} as const satisfies Record<string, Writer>;
export type WriterName = keyof typeof writers;
