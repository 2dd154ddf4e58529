import { InputError } from '@palimpsest/base';
import { toByteCharacters } from './byte-alphabet.js';
import { isNumeric, isPunctuation, isWhiteSpace, wordsOrSymbols } from './character-classes.js';
import type { Component } from './component.js';
import { characterOption, countOption, flagOption, sequenceOf, unsupported } from './component.js';
import { expressionOf } from './oniguruma.js';
import { piecesOf, type SplitBehavior, splitBehaviors } from './split-behavior.js';
import {
  characterPattern,
  expressionPattern,
  inverted,
  patternOf,
  type TextPattern,
} from './text-pattern.js';
import { splitScripts } from './unicode-scripts.js';

/** A text in pieces, none of them empty. */
export interface Pieces {
  readonly texts: readonly string[];
  /** Whether the first piece begins where the whole text does. */
  readonly areFirst: boolean;
}

/** Cuts pieces of text further. */
export type Splitter = (pieces: Pieces) => Pieces;
type Make = (component: Component) => Splitter;

const FIELD = 'pre_tokenizer';

const makers: Readonly<Record<string, Make>> = {
  Sequence: (component) => {
    const steps = sequenceOf(component, 'pretokenizers', FIELD).map(preTokenizerOf);
    return (pieces) => steps.reduce((current, step) => step(current), pieces);
  },
  ByteLevel: byteLevel,
  Split: (component) => {
    const pattern = patternOf(component.pattern, FIELD);
    const behavior = behaviorOf(component);
    return splitter(flagOption(component, 'invert', FIELD, false) ? inverted(pattern) : pattern, behavior);
  },
  Metaspace: metaspace,
  Whitespace: () => splitter(inverted(expressionPattern(wordsOrSymbols)), 'Removed'),
  WhitespaceSplit: () => splitter(characterPattern(isWhiteSpace), 'Removed'),
  BertPreTokenizer: () =>
    inTurn(
      splitter(characterPattern(isWhiteSpace), 'Removed'),
      splitter(characterPattern(isPunctuation), 'Isolated'),
    ),
  Punctuation: (component) => splitter(characterPattern(isPunctuation), behaviorOf(component, 'Isolated')),
  Digits: (component) =>
    splitter(
      characterPattern(isNumeric),
      flagOption(component, 'individual_digits', FIELD, false) ? 'Isolated' : 'Contiguous',
    ),
  CharDelimiterSplit: (component) => {
    const delimiter = characterOption(component, 'delimiter', FIELD);
    return splitter(
      characterPattern((character) => character === delimiter),
      'Removed',
    );
  },
  UnicodeScripts: () => eachText((text) => splitScripts(text)),
  FixedLength: (component) => {
    const length = countOption({ length: 5, ...component }, 'length', FIELD, 1);
    return eachText((text) => chunks([...text], length));
  },
};

/** The pre-tokenizer of a tokenizer.json; none keeps texts whole. @throws InputError for an unsupported type. */
export function preTokenizerOf(component: Component | undefined): Splitter {
  if (!component) return (pieces) => pieces;
  const make = Object.hasOwn(makers, component.type) ? makers[component.type] : undefined;
  if (!make) throw unsupported(FIELD, component.type, Object.keys(makers));
  return make(component);
}

const inTurn =
  (first: Splitter, second: Splitter): Splitter =>
  (pieces) =>
    second(first(pieces));

function chunks(characters: readonly string[], length: number): string[] {
  return Array.from({ length: Math.ceil(characters.length / length) }, (_, index) =>
    characters.slice(index * length, (index + 1) * length).join(''),
  );
}

function behaviorOf(component: Component, initial?: SplitBehavior): SplitBehavior {
  const behavior = splitBehaviors.find((name) => name === (component.behavior ?? initial));
  if (behavior) return behavior;
  throw new InputError(
    `The tokenizer's '${FIELD}' of type ${component.type} has the behaviour ${JSON.stringify(component.behavior)}; supported are ${splitBehaviors.join(', ')}.`,
  );
}

function splitter(pattern: TextPattern, behavior: SplitBehavior): Splitter {
  return ({ texts, areFirst }) => {
    const parts: string[] = [];
    let isFirst = areFirst;
    texts.forEach((text, index) => {
      const ranges = piecesOf(pattern(text), behavior).filter(([start, end]) => start < end);
      if (index === 0 && ranges[0]?.[0] !== 0) isFirst = false;
      for (const [start, end] of ranges) parts.push(text.slice(start, end));
    });
    return { texts: parts, areFirst: isFirst };
  };
}

/** Cuts every text by itself; what comes first is no more than a part that begins it. */
function eachText(cut: (text: string) => readonly string[]): Splitter {
  return ({ texts, areFirst }) => {
    const parts = texts.map(cut);
    const isFirst = areFirst && parts[0]?.[0] !== undefined && texts[0]!.startsWith(parts[0][0]);
    return { texts: parts.flat(), areFirst: isFirst };
  };
}

/** The split of GPT-2 (Radford et al. 2019). */
const gpt2Pattern = expressionPattern(
  expressionOf("'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", FIELD),
);

function byteLevel(component: Component): Splitter {
  const addsSpace = flagOption(component, 'add_prefix_space', FIELD, true);
  const split = flagOption(component, 'use_regex', FIELD, true)
    ? splitter(gpt2Pattern, 'Isolated')
    : undefined;
  return ({ texts, areFirst }) => {
    const begun = addsSpace ? texts.map((text) => (text.startsWith(' ') ? text : ` ${text}`)) : texts;
    const pieces = split ? split({ texts: begun, areFirst }) : { texts: begun, areFirst };
    return { ...pieces, texts: pieces.texts.map(toByteCharacters) };
  };
}

const schemes = ['always', 'first', 'never'] as const;

/** Blanks become a mark, and words begin with theirs. */
function metaspace(component: Component): Splitter {
  const mark = characterOption(component, 'replacement', FIELD);
  const scheme = prependSchemeOf(component, FIELD);
  const split = flagOption(component, 'split', FIELD, true)
    ? splitter(
        characterPattern((character) => character === mark),
        'MergedWithNext',
      )
    : undefined;
  return ({ texts, areFirst }) => {
    const marked = texts.map((text, index) => {
      const words = text.replaceAll(' ', mark);
      const begins = scheme === 'always' || (scheme === 'first' && index === 0 && areFirst);
      return begins && !words.startsWith(mark) ? mark + words : words;
    });
    return split ? split({ texts: marked, areFirst }) : { texts: marked, areFirst };
  };
}

/** Where a Metaspace puts its mark before texts. @throws InputError for a scheme that there is not, or that contradicts. */
export function prependSchemeOf(component: Component, field: string): (typeof schemes)[number] {
  const { prepend_scheme: stated, add_prefix_space: adds } = component;
  const scheme =
    stated === undefined || stated === null ? undefined : schemes.find((name) => name === stated);
  if (scheme === undefined && stated !== undefined && stated !== null) {
    throw new InputError(
      `The tokenizer's '${field}' of type Metaspace has the prepend_scheme ${JSON.stringify(stated)}; supported are ${schemes.join(', ')}.`,
    );
  }
  if (adds === false && scheme !== undefined && scheme !== 'never') {
    throw new InputError(
      `The tokenizer's '${field}' of type Metaspace has the prepend_scheme '${scheme}', but add_prefix_space is false.`,
    );
  }
  return adds === false ? 'never' : (scheme ?? 'always');
}
