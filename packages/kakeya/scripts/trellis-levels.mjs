// Learns the level tables of the trellis coder for a standard normal, 1 to 8 bits, and writes their upper halves to
// src/coders/trellis-levels.ts with the squared error each reaches. Generalised Lloyd rounds: code a long seeded sequence
// with the current levels, then move every level to the mean of the numbers that chose it. Needs a built dist.
import { writeFileSync } from 'node:fs';
import { LevelTable, lloydMaxLevels, Random, Trellis } from '../dist/index.js';

const STATES = 64;
const ROUNDS = 16;
const trellis = new Trellis(STATES);
const halves = [];
const distortions = [1];
for (let bits = 1; bits <= 8; bits++) {
  const count = 100_000 * 2 ** Math.max(0, Math.min(bits - 2, 3));
  const x = new Random(bits).normals(count);
  const weights = new Float64Array(count).fill(1);
  // Nine-bit Lloyd-Max levels are not shipped; stretching the eight-bit ones in index space starts close enough.
  let levels = bits < 8 ? lloydMaxLevels(bits + 1) : doubled(lloydMaxLevels(8));
  let distortion = 1;
  for (let round = 0; round < ROUNDS; round++) {
    const tables = new Array(count).fill(new LevelTable(levels));
    const indices = trellis.decode(trellis.encode(x, weights, tables));
    const sums = new Float64Array(levels.length);
    const counts = new Float64Array(levels.length);
    distortion = 0;
    indices.forEach((j, i) => {
      distortion += (x[i] - levels[j]) ** 2 / count;
      sums[j] += x[i];
      counts[j]++;
    });
    const last = levels.length - 1;
    // The normal is symmetric, so a level and its mirror share their members.
    levels = levels
      .map((level, j) =>
        counts[j] + counts[last - j] > 0
          ? (sums[j] - sums[last - j]) / (counts[j] + counts[last - j])
          : level,
      )
      .sort();
  }
  console.log(bits, distortion, `${(-10 * Math.log10(distortion)).toFixed(2)} dB`);
  halves.push([...levels.slice(levels.length / 2)].map((level) => Number(level.toPrecision(7))));
  distortions.push(Number(distortion.toPrecision(5)));
}

function doubled(levels) {
  const spread = [];
  levels.forEach((level, i) => {
    const width = (levels[Math.min(i + 1, levels.length - 1)] - levels[Math.max(i - 1, 0)]) / 2;
    spread.push(level - width / 4, level + width / 4);
  });
  return Float64Array.from(spread);
}

writeFileSync(
  new URL('../src/coders/trellis-levels.ts', import.meta.url),
  `/** Positive levels of the trellis coder for a standard normal, 1 to 8 bits (2^bits numbers each); written by scripts/trellis-levels.mjs. */
export const positiveTrellisLevels: readonly (readonly number[])[] = [
${halves.map((levels) => `  [${levels.join(', ')}],`).join('\n')}
];

/** Squared error of a unit normal after 0 to 8 bits of trellis coding with 64 states. */
export const trellisDistortion: readonly number[] = [${distortions.join(', ')}];
`,
);
