import { InputError, Rng } from '@palimpsest/tensor-core';
import type { Corpus } from './corpus.js';

const NAMES = [
  'Ada',
  'Bruno',
  'Clara',
  'Dario',
  'Elif',
  'Felix',
  'Greta',
  'Hugo',
  'Ines',
  'Jonas',
  'Kira',
  'Lars',
  'Mira',
  'Nico',
  'Olga',
  'Pavel',
];
const TRADES = [
  'baker',
  'farmer',
  'fisher',
  'gardener',
  'miller',
  'painter',
  'sailor',
  'shepherd',
  'tailor',
  'weaver',
];
const COLOURS = [
  'black',
  'blue',
  'brown',
  'golden',
  'green',
  'grey',
  'purple',
  'red',
  'silver',
  'white',
  'yellow',
];
const THINGS = [
  'bell',
  'book',
  'bottle',
  'box',
  'coat',
  'coin',
  'cup',
  'feather',
  'key',
  'lamp',
  'letter',
  'ring',
  'stone',
];
const PLACES = [
  'attic',
  'barn',
  'boat',
  'cellar',
  'chapel',
  'garden',
  'kitchen',
  'mill',
  'stable',
  'tower',
  'well',
];
const WEATHERS = [
  'The sun was warm',
  'A light rain fell',
  'The wind was strong',
  'Snow lay on the roofs',
  'Fog came from the river',
];
const TIMES = [
  'In the morning',
  'Before noon',
  'A little later',
  'After lunch',
  'In the afternoon',
  'When the bells rang',
];
const FEELINGS = ['happy', 'hungry', 'quiet', 'sleepy', 'tired', 'merry'];

/** Something said early in a story and needed late in it. */
export interface StoryFact {
  readonly kind: 'name' | 'colour' | 'thing' | 'place';
  readonly value: string;
  /** Offset in the text at which the value is first told. */
  readonly toldAt: number;
  /** Offset in the text at which only the earlier telling says what comes. */
  readonly recalledAt: number;
}

export interface Story {
  readonly text: string;
  readonly facts: readonly StoryFact[];
}

export interface StoryOptions {
  /** Fewest and most sentences between the telling of the facts and their recall. Default 3 and 14. */
  readonly minimumEvents?: number;
  readonly maximumEvents?: number;
}

export interface StoriesOptions extends StoryOptions {
  /** Default 0. */
  readonly seed?: number;
  /** Stories are added until the text has at least this many characters. Default 400,000. */
  readonly characters?: number;
}

const pick = <T>(rng: Rng, list: readonly T[]): T => list[rng.int(list.length)]!;
const without = <T>(list: readonly T[], taken: T): T[] => list.filter((item) => item !== taken);

/** One sentence in which other people do other things with things of other colours in other places. */
function distraction(rng: Rng, hero: string, colour: string, thing: string, place: string): string {
  const [other, third] = [...rng.permutation(NAMES.length - 1)].map((index) => without(NAMES, hero)[index]!);
  const otherColour = pick(rng, without(COLOURS, colour));
  const otherThing = pick(rng, without(THINGS, thing));
  const otherPlace = pick(rng, without(PLACES, place));
  return pick(rng, [
    () => `${pick(rng, WEATHERS)}, and ${other} was ${pick(rng, FEELINGS)}.`,
    () => `${pick(rng, TIMES)} ${other} carried a ${otherColour} ${otherThing} to the ${otherPlace}.`,
    () => `${pick(rng, TIMES)} ${other} met ${third} at the ${otherPlace}.`,
    () => `${other} showed ${third} a ${otherColour} ${otherThing}.`,
    () => `"Have you been in the ${otherPlace}?" asked ${other}, and ${third} said no.`,
    () => `${third} the ${pick(rng, TRADES)} sold a ${otherThing} to ${other}.`,
  ])();
}

/**
 * A small story. Its first sentences name a person, a thing with a colour and a place; after a number of sentences about
 * other people, things, colours and places, the last sentence needs all four again.
 * @throws InputError when the numbers of sentences do not fit each other.
 */
export function generateStory(rng: Rng, options: StoryOptions = {}): Story {
  const { minimumEvents = 3, maximumEvents = 14 } = options;
  if (!(minimumEvents >= 0 && maximumEvents >= minimumEvents)) {
    throw new InputError(
      `A story needs 0 <= minimumEvents <= maximumEvents, but ${minimumEvents} and ${maximumEvents} were given.`,
    );
  }
  const name = pick(rng, NAMES);
  const colour = pick(rng, COLOURS);
  const thing = pick(rng, THINGS);
  const place = pick(rng, PLACES);
  const opening = `${name} the ${pick(rng, TRADES)} had a ${colour} ${thing}. It was kept in the ${place}.`;
  const count = minimumEvents + rng.int(maximumEvents - minimumEvents + 1);
  const events = Array.from({ length: count }, () => distraction(rng, name, colour, thing, place));
  const body = [opening, ...events, ''].join(' ');
  const closing = `At night the ${place} was dark, but ${name} found the ${colour} ${thing} there.\n`;
  const values = { place, name, colour, thing } as const;
  let from = body.length;
  const facts = (Object.keys(values) as (keyof typeof values)[]).map((kind) => {
    const value = values[kind];
    const recalledAt = (body + closing).indexOf(value, from);
    from = recalledAt + value.length;
    return { kind, value, toldAt: body.indexOf(value), recalledAt };
  });
  return { text: body + closing, facts };
}

/**
 * A corpus of small English-like stories in which the end of each depends on its beginning: the default text for trying a
 * memory without any file. Equal options give equal texts.
 */
export function generateStories(options: StoriesOptions = {}): Corpus {
  const { seed = 0, characters = 400_000 } = options;
  const rng = Rng.fromSeed(seed);
  const documents: string[] = [];
  for (let length = 0; length < characters; ) {
    const { text } = generateStory(rng, options);
    documents.push(text);
    length += text.length;
  }
  return { name: 'stories', documents };
}
