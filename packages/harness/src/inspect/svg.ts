import { escapeMarkup } from '../pages/markup.js';

/** A coordinate with at most two digits behind the point. */
const short = (value: number) => String(Math.round(value * 100) / 100);

export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly fill: string;
  /** Shown when the pointer rests on it. */
  readonly title?: string;
}

export function rectangle({ x, y, width, height, fill, title }: Rectangle): string {
  const place = `x="${short(x)}" y="${short(y)}" width="${short(width)}" height="${short(height)}"`;
  return title === undefined
    ? `<rect ${place} fill="${fill}"/>`
    : `<rect ${place} fill="${fill}"><title>${escapeMarkup(title)}</title></rect>`;
}

export interface Label {
  readonly x: number;
  readonly y: number;
  readonly text: string;
  readonly size?: number;
  readonly anchor?: 'start' | 'middle' | 'end';
  readonly fill?: string;
  readonly monospace?: boolean;
}

export function label({
  x,
  y,
  text,
  size = 11,
  anchor = 'start',
  fill = '#6d675c',
  monospace,
}: Label): string {
  const family = monospace ? ' font-family="ui-monospace, Menlo, Consolas, monospace"' : '';
  return `<text x="${short(x)}" y="${short(y)}" font-size="${size}" text-anchor="${anchor}" fill="${fill}"${family}>${escapeMarkup(text)}</text>`;
}

/** A picture of its own size that shrinks with the page. */
export function picture(width: number, height: number, title: string, parts: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${short(width)} ${short(height)}" width="${short(width)}" height="${short(height)}" role="img" aria-label="${escapeMarkup(title)}" font-family="system-ui, -apple-system, 'Segoe UI', sans-serif">${parts.join('')}</svg>`;
}

type Colour = readonly [number, number, number];
const PAPER: Colour = [250, 248, 243];
const BLUE: Colour = [44, 86, 140];
const RED: Colour = [178, 72, 40];

const mix = (a: Colour, b: Colour, share: number) =>
  `#${a
    .map((channel, index) => Math.round(channel + (b[index]! - channel) * share))
    .map((channel) => channel.toString(16).padStart(2, '0'))
    .join('')}`;

/** From paper to blue, for 0 to 1. */
export function sequentialColour(share: number): string {
  return mix(PAPER, BLUE, Math.min(1, Math.max(0, share)));
}

/** Red below zero, paper at zero, blue above, for -1 to 1. */
export function divergingColour(value: number): string {
  const bounded = Math.min(1, Math.max(-1, value));
  return mix(PAPER, bounded < 0 ? RED : BLUE, Math.abs(bounded));
}
