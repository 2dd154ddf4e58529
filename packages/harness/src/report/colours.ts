/**
 * Colours told apart with most kinds of colour blindness (after Okabe & Ito 2008), readable on white and on dark grey. There
 * are no more than eight: what is drawn beyond them repeats a colour with other dashes and another sign.
 */
const PALETTE = ['#0072b2', '#d55e00', '#8a6fb0', '#2e9fd6', '#009e73', '#c2679a', '#8c8c8c', '#b08a1e'];

/** Lengths of strokes and gaps, pixels. */
const DASHES = [
  [1, 0],
  [7, 3],
  [2, 3],
  [9, 3, 2, 3],
] as const;

/** Vega's names of signs, in an order in which neighbours look different. */
const SHAPES = [
  'circle',
  'square',
  'triangle-up',
  'diamond',
  'cross',
  'triangle-down',
  'triangle-right',
] as const;

/** How a line and its points are drawn. */
export interface LineStyle {
  readonly colour: string;
  readonly dash: readonly number[];
  readonly shape: string;
}

export function colourAt(place: number): string {
  return PALETTE[place % PALETTE.length]!;
}

/**
 * The style of a line: no two places have the same colour, dashes and sign, up to 32 of them with 7 lines each.
 * @param place of its mechanism in the list of mechanisms
 * @param among place of the line among those of its mechanism
 */
export function lineStyle(place: number, among = 0): LineStyle {
  return {
    colour: colourAt(place),
    dash: DASHES[Math.floor(place / PALETTE.length) % DASHES.length]!,
    shape: SHAPES[(place + among) % SHAPES.length]!,
  };
}
