// Computes the Lloyd-Max levels of a standard normal for 1..8 bits and writes the upper halves (the tables are
// symmetric) to src/coders/lloyd-max-levels.ts. Plain Lloyd rounds, stopped after 20,000 like the published codes that these
// tables must reproduce: at 8 bits the outermost level is then still 4e-4 from the optimum, the others settled.
import { writeFileSync } from 'node:fs';

const density = (x) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

/** Upper tail of the normal, relative accuracy near 1e-15: series near 0, continued fraction beyond. */
function tail(x) {
  if (x === Infinity) return 0;
  if (x < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-18; n++) {
      term *= (x * x) / (2 * n + 1);
      sum += term;
    }
    return 0.5 - density(x) * sum;
  }
  let fraction = x;
  for (let k = 200; k >= 1; k--) fraction = x + k / fraction;
  return density(x) / fraction;
}

/** Mean of the normal on [a, b]. */
function cellMean(a, b) {
  return (density(a) - (b === Infinity ? 0 : density(b))) / (tail(a) - tail(b));
}

/** Positive levels for 2^bits levels: thresholds are 0 and the midpoints; level = mean of its cell. */
function positiveLevels(bits) {
  const n = 2 ** (bits - 1);
  // Levels spread as the cube root of the density: a normal of standard deviation sqrt(3) (Panter and Dite).
  const quantile = (p) => {
    let [low, high] = [0, 10];
    for (let i = 0; i < 80; i++) {
      const middle = (low + high) / 2;
      if (1 - tail(middle) < p) low = middle;
      else high = middle;
    }
    return low;
  };
  let levels = Array.from({ length: n }, (_, i) => Math.sqrt(3) * quantile(0.5 + (i + 0.5) / (2 * n)));
  for (let round = 0; round < 20_000; round++) {
    const edges = [0, ...levels.slice(1).map((level, i) => (level + levels[i]) / 2), Infinity];
    const next = levels.map((_, i) => cellMean(edges[i], edges[i + 1]));
    const change = Math.max(...next.map((level, i) => Math.abs(level - levels[i])));
    levels = next;
    if (change < 1e-12) break;
  }
  return levels;
}

const tables = Array.from({ length: 8 }, (_, b) => positiveLevels(b + 1));
for (const levels of tables) {
  const distortion =
    1 -
    levels.reduce((sum, level, i) => {
      const low = i === 0 ? 0 : (level + levels[i - 1]) / 2;
      const high = i === levels.length - 1 ? Infinity : (level + levels[i + 1]) / 2;
      return sum + 2 * (tail(low) - tail(high)) * level * level;
    }, 0);
  console.log(levels.length * 2, distortion);
}
const body = tables.map(
  (levels) => `  [${levels.map((level) => Number(level.toPrecision(15))).join(', ')}],`,
);
writeFileSync(
  new URL('../src/coders/lloyd-max-levels.ts', import.meta.url),
  `/** Positive Lloyd-Max levels of a standard normal for 1 to 8 bits; written by scripts/lloyd-max.mjs. */\nexport const positiveLevels: readonly (readonly number[])[] = [\n${body.join('\n')}\n];\n`,
);
