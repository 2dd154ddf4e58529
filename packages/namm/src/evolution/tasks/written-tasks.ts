import { InputError, Rng } from '@palimpsest/base';
import type { Tokenizer } from '@palimpsest/lm';
import { Background } from './background.js';
import type { EvolutionTask, Split } from './evolution-task.js';
import { type Asking, likelihoodSample, type TextQuestion, textSample } from './text-sample.js';
import { type WriterName, writers } from './written-questions.js';

export type WrittenTaskName = WriterName | 'characterLm';

/** Tasks that are written from a text: no downloads. */
export const writtenTaskNames: readonly WrittenTaskName[] = [
  ...(Object.keys(writers) as WriterName[]),
  'characterLm',
];

export interface WrittenTaskOptions {
  readonly tokenizer: Tokenizer;
  /** What facts are hidden in; its splits are parts of it. */
  readonly background: string;
  /** Tokens of every prompt, exactly. */
  readonly length: number;
  /** Default 'likelihood'. */
  readonly scoring?: Asking['scoring'];
  /** Tokens that are written, or, in `characterLm`, whose probability is measured. Default 32. */
  readonly maxNewTokens?: number;
  /** Samples of each split. Default 256. */
  readonly size?: number;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * A task by name: its samples are written from the seed, the split and their number alone.
 * @throws InputError for a name that nobody has, or a text with which a prompt cannot be filled.
 */
export function writtenTask(name: string, options: WrittenTaskOptions): EvolutionTask {
  const { tokenizer, length, scoring = 'likelihood', maxNewTokens = 32, size = 256, seed = 0 } = options;
  if (!isTaskName(name)) {
    throw new InputError(`There is no task '${name}'; the tasks are ${writtenTaskNames.join(', ')}.`);
  }
  const background = new Background(options.background);
  const sampleRng = (split: Split, index: number) => Rng.fromSeed(seed).fork(`${name}/${split}/${index}`);
  if (name === 'characterLm') {
    return {
      name,
      size,
      sample(split, index) {
        const wanted = length + maxNewTokens;
        const ids = filling(tokenizer, background, sampleRng(split, index), split, wanted);
        return likelihoodSample(ids.slice(0, length), ids.slice(length));
      },
    };
  }
  return {
    name,
    size,
    sample(split, index) {
      const rng = sampleRng(split, index);
      const question = fitting(name, { rng, split, background, tokenizer, length });
      const ids = tokenizer.encode(question.prompt);
      const lead = filling(tokenizer, background, rng, split, length - ids.length);
      const prompt = Int32Array.of(...lead, ...ids);
      return textSample(question, { tokenizer, scoring, maxNewTokens }, prompt);
    },
  };
}

const isTaskName = (name: string): name is WrittenTaskName =>
  writtenTaskNames.some((known) => known === name);

interface Room {
  readonly rng: Rng;
  readonly split: Split;
  readonly background: Background;
  readonly tokenizer: Tokenizer;
  readonly length: number;
}

/** A question that has at most `length` tokens: written for less room as long as it has more. */
function fitting(name: WriterName, { length, tokenizer, ...writing }: Room) {
  // Characters for each token, as long as nobody knows better.
  let characters = length * 8;
  for (let attempt = 0; attempt < 12; attempt++) {
    const question = writers[name]({ ...writing, characters });
    const tokens = tokenizer.encode(question.prompt).length;
    if (tokens <= length) return sayable(name, question, tokenizer);
    characters = Math.floor((characters * length * 0.95) / tokens);
  }
  throw new InputError(
    `A question of the task '${name}' does not fit into ${length} tokens; make prompts longer or leave the task out.`,
  );
}

/** @throws InputError when the tokenizer has no token for a part of the answer, so that right and wrong ones would be alike. */
function sayable(name: WriterName, question: TextQuestion, tokenizer: Tokenizer): TextQuestion {
  const unknown = tokenizer.unknownCharacters?.(question.golds[0]!) ?? [];
  if (unknown.length === 0) return question;
  throw new InputError(
    `An answer of the task '${name}' cannot be told in this vocabulary, which has no '${unknown.join("' and no '")}'; leave the task out, or take a model that was trained with these characters.`,
  );
}

/** Exactly so many ids of background. */
function filling(
  tokenizer: Tokenizer,
  background: Background,
  rng: Rng,
  split: Split,
  count: number,
): Int32Array {
  let [characters, ids] = [count * 2 + 8, new Int32Array()];
  for (let attempt = 0; count > 0 && ids.length < count && attempt < 12; attempt++) {
    ids = Int32Array.from(tokenizer.encode(`${background.passage(rng, split, characters)}\n`));
    characters *= 2;
  }
  if (ids.length < count) {
    throw new InputError(
      `A prompt cannot be filled with ${count} tokens of the text: its tokenizer knows too little of it.`,
    );
  }
  return ids.slice(ids.length - Math.max(0, count));
}
