/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/// <reference lib="dom.asynciterable" />

/** A text of the page with its colour and the colour behind it. */
export interface TextColour {
  readonly text: string;
  readonly ink: string;
  readonly ground: string;
}

/** Runs in the page: every visible run of text in the sections. Words drawn on marks are left out: a cell of a
 * heat map is their ground. */
export function textColours(): TextColour[] {
  const groundOf = (element: Element | null): string => {
    for (let at = element; at; at = at.parentElement) {
      const { backgroundColor } = getComputedStyle(at);
      if (!/^(transparent|rgba\(.*, 0\))$/.test(backgroundColor)) return backgroundColor;
    }
    return 'rgb(255, 255, 255)';
  };
  // What has text of its own; a button that is switched off need not be read.
  const texts =
    'h1, h2, h3, p, li, th, td, a, caption, figcaption, summary, text, label, legend, dt, dd, pre, button:enabled';
  return [...document.querySelectorAll(texts)]
    .filter((element) => element.textContent?.trim() && element.getClientRects().length > 0)
    .filter((element) => !element.closest('.mark-text.role-mark'))
    .map((element) => {
      const style = getComputedStyle(element);
      const ink = element.tagName === 'text' ? style.fill : style.color;
      return { text: element.textContent!.trim(), ink, ground: groundOf(element) };
    });
}

/** Contrast ratio of two colours `rgb(r, g, b)`, from 1 to 21 (WCAG 2.2, relative luminance). */
export function contrast(one: string, other: string): number {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

function luminance(colour: string): number {
  const [red, green, blue] = (colour.match(/[\d.]+/g) ?? []).slice(0, 3).map((channel) => {
    const share = Number(channel) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
