// Takes a picture out of a report with its legend, as an SVG file that stands alone, for READMEs:
// `node scripts/report-picture.mjs results/standard/report.html "Retrieval at distance: accuracy by distance" docs/images/x.svg`
import { readFileSync, writeFileSync } from 'node:fs';

const [report, title, target] = process.argv.slice(2);
if (!target) throw new Error('Give a report, the title of a picture and a file.');
const figure = readFileSync(report, 'utf8')
  .split('<figure')
  .find((part) => part.includes(`>${title}</p>`));
if (!figure) throw new Error(`There is no picture '${title}' in ${report}.`);
const [, head, drawing] = /<svg([^>]*)>(.*?)<\/svg>/s.exec(figure);
const attribute = (name) => new RegExp(` ${name}="([^"]*)"`).exec(head)[1];
const [width, height] = [Number(attribute('width')), Number(attribute('height'))];

/** Names of lines with their strokes, in rows as wide as the picture. */
const LETTER = 7.2;
let [x, row] = [0, 0];
const entries = [...figure.matchAll(/<li><svg[^>]*>(.*?)<\/svg>([^<]*)<\/li>/gs)].map(([, stroke, name]) => {
  const wide = 40 + name.length * LETTER + 18;
  if (x + wide > width) [x, row] = [0, row + 1];
  const at = `translate(${x + 8},${height + 8 + 20 * row})`;
  x += wide;
  return `<g transform="${at}">${stroke}<text x="40" y="10">${name}</text></g>`;
});
const whole = height + 20 * (row + 1) + 16;
writeFileSync(
  target,
  `<svg style="background:#ffffff;color:#24221f" role="img" aria-label="${attribute('aria-label')}" xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${width}" height="${whole}" viewBox="0 0 ${width} ${whole}">${drawing}<g font-family="sans-serif" font-size="13" fill="currentColor">${entries.join('')}</g></svg>\n`,
);
