import type { Rng } from '@palimpsest/base';
import type { Background } from './background.js';
import type { Split } from './evolution-task.js';
import type { Writer } from './written-questions.js';

/** What can be asked for, and for each of them the signs that it may be told by: syllables that begin with its sound. */
const SIGNS: Readonly<Record<string, string>> = {
  ...{ κ: 'かきくけこ', γ: 'がぎぐげご', σ: 'さしすせそ', ζ: 'ざじずぜぞ', τ: 'たちつてと', δ: 'だぢづでど' },
  ...{ ν: 'なにぬねの', η: 'はひふへほ', β: 'ばびぶべぼ', π: 'ぱぴぷぺぽ', μ: 'まみむめも', ρ: 'らりるれろ' },
};
const KEYS = Object.keys(SIGNS);
/** What a character vocabulary needs so that facts can be told in it. */
export const FACT_CHARACTERS = ` <>#${KEYS.join('')}${Object.values(SIGNS).join('')}`;
/** One fact for so many characters, at most one for each key. */
const CHARACTERS_PER_FACT = 16;
const MOST_FACTS = KEYS.length;

/** Something that happens in a text: a fact is told, or asked for with its answer. */
interface Happening {
  /** From 0, the beginning, to 1. */
  readonly place: number;
  readonly key: string;
  readonly kind: 'told' | 'asked';
}

/** Where facts are told, and which are told again. */
interface Plan {
  tell(rng: Rng): number;
  /** Share of the facts that change later. */
  readonly changing: number;
}

const told = (sign: string) => ` <${sign}>`;
const asked = (sign: string, key: string) => ` #${key}${sign}`;

/** Every telling of a key comes with a question later in the text at every other time, and some with another telling. */
function happenings(rng: Rng, keys: readonly string[], { tell, changing }: Plan): Happening[] {
  const list = keys.flatMap((key): Happening[] => {
    const first = tell(rng);
    const later = () => first + (1 - first) * rng.uniform();
    return [
      { place: first, key, kind: 'told' },
      ...(rng.uniform() < changing ? [{ place: later(), key, kind: 'told' } as const] : []),
      ...(rng.uniform() < 0.5 ? [{ place: later(), key, kind: 'asked' } as const] : []),
    ];
  });
  return list.sort((a, b) => a.place - b.place);
}

/** Writes what happens into a passage, each thing behind the word that stands at its place. */
function written(
  passage: string,
  events: readonly { readonly place: number; readonly text: string }[],
): string {
  let [text, from] = ['', 0];
  for (const event of events) {
    const at = passage.indexOf(' ', Math.floor(event.place * passage.length));
    const to = Math.max(from, at < 0 ? passage.length : at);
    text += passage.slice(from, to) + event.text;
    from = to;
  }
  return text + passage.slice(from);
}

/**
 * Facts `<き>` in a text, some of them asked for on the way (`#κき`: which of か, き, く, け, こ was told?), and half of what there
 * is room for at the end: the same number for the same room.
 */
const factsBy =
  (plan: Plan): Writer =>
  ({ rng, split, background, characters }) => {
    const most = Math.max(2, Math.min(MOST_FACTS, Math.floor(characters / CHARACTERS_PER_FACT)));
    const questions = Math.floor(most / 2);
    const count = questions + rng.int(most - questions + 1);
    const keys = [...rng.permutation(KEYS.length)].slice(0, count).map((i) => KEYS[i]!);
    const signs = new Map<string, string>();
    const events = happenings(rng, keys, plan).map(({ place, key, kind }) => {
      if (kind === 'told') signs.set(key, SIGNS[key]![rng.int(SIGNS[key]!.length)]!);
      return { place, text: (kind === 'told' ? told : asked)(signs.get(key)!, key) };
    });
    const taken = events.reduce((sum, { text }) => sum + text.length, questions * asked('.', '.').length);
    const body = written(passageOf(background, rng, split, characters - taken), events);
    const order = [...rng.permutation(count)].slice(0, questions).map((i) => keys[i]!);
    const block = order.map((key) => asked(signs.get(key)!, key)).join('');
    // The first question ends the prompt; the others are a part of the answer, each a word with what answers it.
    const question = asked('', '.').length;
    return { prompt: body + block.slice(0, question), golds: [block.slice(question)], metric: 'rougeL' };
  };

const passageOf = (background: Background, rng: Rng, split: Split, characters: number): string =>
  background.passage(rng, split, Math.max(8, characters));

/** Facts all over the text. */
export const plantedFacts: Writer = factsBy({ tell: (rng) => rng.uniform(), changing: 0 });
/** All facts at the beginning, as far from the questions as can be. */
export const factsFirst: Writer = factsBy({ tell: () => 0, changing: 0 });
/** Facts that change: the last telling counts. */
export const changedFacts: Writer = factsBy({ tell: (rng) => rng.uniform(), changing: 0.5 });
