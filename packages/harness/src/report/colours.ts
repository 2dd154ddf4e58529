/**
 * One colour per mechanism in every picture, told apart with most kinds of colour blindness (after Okabe & Ito 2008) and
 * readable on white and on dark grey.
 */
const MECHANISMS: Readonly<Record<string, string>> = {
  osam: '#0072b2',
  rsm: '#d55e00',
  transformer: '#8a6fb0',
  'transformer-window': '#2e9fd6',
  'transformer-sinks': '#009e73',
  'linear-attention': '#c2679a',
  'no-memory': '#8c8c8c',
  ngram: '#b08a1e',
};

const SPARE = ['#56788c', '#a85b3c', '#5b8c5a', '#9a4a4a', '#6b6bb0', '#7a7a2e'];

/** The colour of a mechanism; those without one of their own get a spare one by their place. */
export function colourOf(mechanism: string, place: number): string {
  return MECHANISMS[mechanism] ?? SPARE[place % SPARE.length]!;
}
