#!/usr/bin/env bash
# pure-rand 8.4.1: the first number that xoroshiro128plus or xorshift128plus draws is a plain function of the seed, the largest
# number minus the seed. With seeds from 0 to 999 the first uniform number is above 0.9999 for each of them, and a coin that is
# tossed first falls on the same side every time. Who seeds one generator per episode, row or dropout mask and draws once gets
# no randomness at all. congruential32 and mersenne of the same package spread out as they should. Expected: a mean of about 0.5
# over a thousand seeds. Observed: 0.99999.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/pure-rand-first-draw-of-every-seed.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
echo "{}" > package.json
npm install --silent --no-audit --no-fund --ignore-scripts pure-rand@8.4.1 >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.mjs <<'JS'
import { congruential32 } from 'pure-rand/generator/congruential32';
import { mersenne } from 'pure-rand/generator/mersenne';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { xorshift128plus } from 'pure-rand/generator/xorshift128plus';
import { uniformFloat32 } from 'pure-rand/distribution/uniformFloat32';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
const seeds = Array.from({ length: 1000 }, (_, seed) => seed);
const generators = { xoroshiro128plus, xorshift128plus, congruential32, mersenne };
const bad = {};
for (const [name, create] of Object.entries(generators)) {
  const rows = [uniformFloat32, uniformFloat64].map((draw) => seeds.map((seed) => draw(create(seed))));
  const second = seeds.map((seed) => { const generator = create(seed); uniformFloat64(generator); return uniformFloat64(generator); });
  const mean = (row) => row.reduce((sum, value) => sum + value, 0) / row.length;
  bad[name] = rows.every((row) => Math.min(...row) > 0.9999);
  console.log(`${name}: first of 1000 seeds from ${Math.min(...rows[1]).toFixed(6)} to ${Math.max(...rows[1]).toFixed(6)}, mean ${mean(rows[1]).toFixed(5)}; mean of the second ${mean(second).toFixed(5)}`);
}
process.exitCode = JSON.stringify(bad) === '{"xoroshiro128plus":true,"xorshift128plus":true,"congruential32":false,"mersenne":false}' ? 0 : 1;
JS
node run.mjs
