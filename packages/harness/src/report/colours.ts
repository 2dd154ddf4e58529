/**
 * Colours told apart with most kinds of colour blindness (after Okabe & Ito 2008), readable on white and on dark grey. What
 * is drawn takes them by its place: mechanisms by that in the list of mechanisms, the same in every picture.
 */
const PALETTE = [
  '#0072b2',
  '#d55e00',
  '#8a6fb0',
  '#2e9fd6',
  '#009e73',
  '#c2679a',
  '#8c8c8c',
  '#b08a1e',
  '#56788c',
  '#a85b3c',
  '#5b8c5a',
  '#9a4a4a',
  '#6b6bb0',
  '#7a7a2e',
  '#3f8f8f',
  '#b5547a',
  '#4f7fc4',
  '#96703a',
  '#7d5ba6',
  '#a3742b',
  '#3d7a6a',
  '#8f6b6b',
  '#5f8fa8',
  '#a0529e',
  '#6f8a4b',
  '#b3663c',
  '#4c6aa3',
  '#94803d',
  '#7a6a8c',
];

export function colourAt(place: number): string {
  return PALETTE[place % PALETTE.length]!;
}
