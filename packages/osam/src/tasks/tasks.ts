import { InputError, type Rng } from '@palimpsest/tensor-core';
import { type RetrievalTask, targetsAt } from './retrieval-task.js';

export interface RecallOptions {
  /** Pairs to remember; default 4. */
  readonly pairs?: number;
  /** Distinct keys and values; default 16 each. */
  readonly keys?: number;
  readonly values?: number;
}

/**
 * Associative recall (osam.md 9): n pairs of a key and a value, keys without repetition, then the keys in random order, each
 * followed by its value. The values of the second half count.
 */
export function associativeRecall({ pairs = 4, keys = 16, values = 16 }: RecallOptions = {}): RetrievalTask {
  if (pairs > keys) throw new InputError(`${pairs} pairs need as many distinct keys, but there are ${keys}.`);
  const time = 4 * pairs - 1;
  return {
    name: `recall-${pairs}`,
    vocabSize: keys + values,
    time,
    chance: 1 / values,
    example: (rng) => {
      const chosen = rng.permutation(keys).slice(0, pairs);
      const answers = Int32Array.from({ length: pairs }, () => keys + rng.int(values));
      const asked = rng.permutation(pairs);
      const text = [...chosen].flatMap((key, i) => [key, answers[i]!]);
      for (const i of asked) text.push(chosen[i]!, answers[i]!);
      const wanted = [...asked].map((i, order) => [2 * pairs + 2 * order, answers[i]!] as const);
      return {
        inputs: Int32Array.from(text.slice(0, time)),
        targets: targetsAt(time, wanted),
        slice: 'all',
      };
    },
  };
}

export interface NeedleTaskOptions {
  /** Tokens before the question; default 64. */
  readonly length?: number;
  /** Tokens of the payload; default 3. */
  readonly payload?: number;
  /** Distinct payload and distinct hay tokens; default 16 each. */
  readonly symbols?: number;
  readonly hay?: number;
  /** Depths are scored in this many groups; default 4. */
  readonly depths?: number;
}

/**
 * A needle with a random payload at a random depth in random hay: a marker and the payload somewhere, the marker again at the
 * end, and the payload must follow. Scored by depth, counted from the end of the text.
 */
export function randomNeedle(options: NeedleTaskOptions = {}): RetrievalTask {
  const { length = 64, payload = 3, symbols = 16, hay = 16, depths = 4 } = options;
  const room = length - payload - 1;
  if (room < depths) throw new InputError(`A text of ${length} tokens is too short for ${depths} depths.`);
  const marker = symbols + hay;
  const time = length + payload;
  const slices = needleSlices(room, depths);
  return {
    name: `needle-${length}`,
    vocabSize: symbols + hay + 1,
    time,
    chance: 1 / symbols,
    example: (rng) => {
      const text = Int32Array.from({ length: time + 1 }, () => symbols + rng.int(hay));
      const start = rng.int(room);
      const answer = Int32Array.from({ length: payload }, () => rng.int(symbols));
      text.set([marker, ...answer], start);
      text.set([marker, ...answer], length);
      const wanted = [...answer].map((token, i) => [length + i, token] as const);
      return { inputs: text.slice(0, time), targets: targetsAt(time, wanted), slice: slices(room - start) };
    },
  };
}

/** Names the group of a depth in 1..room. */
function needleSlices(room: number, depths: number): (depth: number) => string {
  const width = Math.ceil(room / depths);
  return (depth) => {
    const group = Math.min(depths - 1, Math.floor((depth - 1) / width));
    return `depth ${group * width + 1}-${Math.min(room, (group + 1) * width)}`;
  };
}

export interface SelectiveCopyOptions {
  /** Tokens to remember; default 8. */
  readonly count?: number;
  /** Tokens before the copy begins, blanks included; default 48. */
  readonly length?: number;
  readonly symbols?: number;
}

/** Selective copy: tokens scattered among blanks must be given back in order after a delimiter. */
export function selectiveCopy(options: SelectiveCopyOptions = {}): RetrievalTask {
  const { count = 8, length = 48, symbols = 16 } = options;
  if (count > length) throw new InputError(`${count} tokens do not fit into ${length} places.`);
  const [blank, delimiter] = [symbols, symbols + 1];
  const time = length + count;
  return {
    name: `selective-copy-${count}`,
    vocabSize: symbols + 2,
    time,
    chance: 1 / symbols,
    example: (rng: Rng) => {
      const places = rng.permutation(length).slice(0, count).sort();
      const content = Int32Array.from({ length: count }, () => rng.int(symbols));
      const text = new Int32Array(time).fill(blank);
      places.forEach((place, i) => {
        text[place] = content[i]!;
      });
      text[length] = delimiter;
      for (let i = 1; i < count; i++) text[length + i] = content[i - 1]!;
      const wanted = [...content].map((token, i) => [length + i, token] as const);
      return { inputs: text, targets: targetsAt(time, wanted), slice: 'all' };
    },
  };
}
