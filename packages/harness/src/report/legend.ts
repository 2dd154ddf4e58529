import type { Series } from './charts/line-chart.js';
import { lineStyle } from './colours.js';
import { type Markup, markup } from './markup.js';

/** Signs as paths around the middle of a sample, pixels. */
const SIGNS: Readonly<Record<string, string>> = {
  circle: 'M12 6a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z',
  square: 'M12.5 2.5h7v7h-7z',
  'triangle-up': 'M16 1.5l4.5 8h-9z',
  'triangle-down': 'M16 10.5l4.5 -8h-9z',
  'triangle-right': 'M20.5 6l-8 4.5v-9z',
  diamond: 'M16 1l4 5l-4 5l-4 -5z',
  cross: 'M14.5 1.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z',
};

/** The lines of a picture with their names, each as it is drawn; it wraps as the page does. */
export function legend(series: readonly Series[]): Markup {
  const items = series.map((line, place) => {
    const { colour, dash, shape } = { ...lineStyle(place), ...line };
    const stroke = markup`<path d="M0 6h32" stroke="${colour}" stroke-width="2" stroke-dasharray="${dash.join(' ')}" fill="none"/>`;
    const sign = markup`<path d="${SIGNS[shape] ?? SIGNS.circle!}" fill="${colour}"/>`;
    return markup`<li><svg width="32" height="12" aria-hidden="true">${stroke}${sign}</svg>${line.name}</li>`;
  });
  return markup`<ul class="legend">${items}</ul>`;
}
