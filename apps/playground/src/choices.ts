interface MechanismChoice {
  readonly title: string;
  readonly about: string;
  /** Whether it can show what its memory kept. */
  readonly isShown: boolean;
}

const choice = (title: string, about: string, isShown = true): MechanismChoice => ({ title, about, isShown });

/** Mechanisms that can be trained here. */
export const mechanisms = {
  osam: choice('OSAM', 'an algebraic map: sums of fixed size, read by products'),
  rsm: choice('RSM', 'a transformer per chunk, and slots that chunks are written to'),
  'om-arc': choice('Om', 'segments linked by a few state vectors per layer'),
  'transformer-window': choice('Sliding window', 'keys and values of the newest tokens only'),
  gru: choice('GRU', 'one vector per layer, rewritten through gates', false),
  'linear-attention': choice('Linear attention', 'sums of keys times values, which fade', false),
} as const;

export type MechanismName = keyof typeof mechanisms;

/** Rules for what the cache of a transformer forgets. */
export const rules = {
  namm: { title: 'NAMM', about: 'an evolved network of 190 numbers' },
  h2o: { title: 'H2O', about: 'what received most attention' },
} as const;

export type RuleName = keyof typeof rules;

/** The entries of a list as options of a choice. */
export const optionsOf = <Name extends string>(
  entries: Readonly<Record<Name, { readonly title: string; readonly about: string }>>,
) =>
  (Object.keys(entries) as Name[]).map((value) => {
    const { title: text, about } = entries[value];
    return { value, text, about };
  });

/** Tokens of a window of training. */
export const WINDOW = 48;

/** Channels of a layer of the models that are trained here, and their layers: what keys and values of every token would take. */
const [WIDTH, LAYERS] = [64, 2];
/** Bytes of the cache of a transformer of this size that sees the whole text. */
export const fullCacheBytes = (tokens: number): number => tokens * LAYERS * 2 * WIDTH * 4;

/** A text to begin with, in the public domain. */
export const FIRST_TEXT = `It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness, it was the epoch of belief, it was the epoch of incredulity, it was the season of Light, it was the season of Darkness, it was the spring of hope, it was the winter of despair, we had everything before us, we had nothing before us, we were all going direct to Heaven, we were all going direct the other way – in short, the period was so far like the present period, that some of its noisiest authorities insisted on its being received, for good or for evil, in the superlative degree of comparison only.

There were a king with a large jaw and a queen with a plain face, on the throne of England; there were a king with a large jaw and a queen with a fair face, on the throne of France. In both countries it was clearer than crystal to the lords of the State preserves of loaves and fishes, that things in general were settled for ever.
`;
/** Texts shorter than this teach nothing. */
export const SHORTEST_TEXT = 400;

/** Number with thousands set apart. */
export const grouped = (value: number): string => value.toLocaleString('en-US');
