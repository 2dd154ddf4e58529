// One update of one layer beside the published program's arithmetic on the same engine, and what watching costs while decoding.
//   node bench/update.mjs [--tokens 512,1024,2048,4096] [--rounds 7] [--decoded 352]
// On a machine that others use take processor time on one thread: PROCESSOR_TIME=1 PALIMPSEST_THREADS=1.
import { parseArgs } from 'node:util';
import { createTransformer } from '@palimpsest/backbone';
import { createEngine, ndarray, Rng } from '@palimpsest/tensor-core';
import { fullPolicy, manageTransformer, nammPolicy, parameterCount } from '../dist/index.js';
import { config, createUpdate, GROUP, HEADS, NEW } from './one-update.mjs';
import { clock, ratio, summary } from './timing.mjs';

const { values } = parseArgs({
  options: {
    tokens: { type: 'string', default: '512,1024,2048,4096' },
    rounds: { type: 'string', default: '7' },
    decoded: { type: 'string', default: '352' },
  },
});
const [rounds, decoded] = [Number(values.rounds), Number(values.decoded)];
const engine = await createEngine('onnx');
const rng = Rng.fromSeed(1);

async function updates(tokens) {
  const update = createUpdate(engine, tokens);
  const { own, reference, heldBytes } = update;
  const [a, b] = [await own(), await reference()];
  const apart = Math.max(...a.scores.data.map((value, i) => Math.abs(value - b.scores.data[i])));
  const size = Math.max(...a.scores.data.map(Math.abs));
  if (!(apart <= 1e-4 * Math.max(1, size))) throw new Error(`scores of ${tokens} tokens differ by ${apart}`);
  const times = [[], []];
  for (let round = 0; round < rounds; round++) {
    for (const [i, call] of [own, reference].entries()) {
      const start = clock();
      await call();
      times[i].push(clock() - start);
    }
  }
  const [fast, slow] = times.map(summary);
  const perToken = (bytes) => (bytes / (HEADS * tokens * 4)).toFixed(0);
  console.log(
    `n = ${tokens}: ${fast.median.toFixed(1)} ms (least ${fast.least.toFixed(1)}) against ${slow.median.toFixed(1)} ms (least ${slow.least.toFixed(1)}): ${ratio(slow, fast)} times as fast; ` +
      `state per token and head ${perToken(update.largestOwn())} numbers against ${perToken(heldBytes)} before the update (1/${(heldBytes / update.largestOwn()).toFixed(1)}), ` +
      `1/${(b.after / b.kept.shape[2] / (a.after / a.kept.shape[2])).toFixed(1)} after it; scores differ by ${apart.toExponential(1)} of ${size.toFixed(2)}`,
  );
  await update.dispose();
}

/** Tokens decoded under the policy beside tokens decoded with the same cache and nobody watching. */
async function decoding() {
  const transformer = createTransformer({
    ...{ vocabSize: 512, context: 2048, layers: 4, modelWidth: 128, heads: 8, keyValueHeads: HEADS },
    ...{ mlpWidth: 344, norm: 'rms', activation: 'swiglu' },
  });
  const params = transformer.init(rng);
  const keepsAll = nammPolicy(config, { vectors: [new Float32Array(parameterCount(config))] });
  const prompt = ndarray(
    Int32Array.from({ length: 640 }, () => rng.int(512)),
    [1, 640],
    'int32',
  );
  const readers = [fullPolicy(), keepsAll].map((one) =>
    manageTransformer(transformer, one).compile(engine, params),
  );
  const texts = readers.map((reader) => reader.read(1));
  const times = [[], []];
  for (let round = 0; round <= rounds; round++) {
    for (const [i, text] of texts.entries()) {
      text.reset();
      (await text.read(prompt)).dispose();
      const start = clock();
      for (let token = 0; token < decoded; token++) {
        const logits = await text.read(ndarray([token], [1, 1], 'int32'));
        await logits.data();
        logits.dispose();
      }
      if (round > 0) times[i].push((clock() - start) / decoded);
    }
  }
  const [plain, watched] = times.map(summary);
  const share = (a, b) => `${(100 * (1 - a / b)).toFixed(1)} %`;
  console.log(
    `decoding at ${prompt.shape[1]} to ${prompt.shape[1] + decoded} tokens: ${watched.median.toFixed(2)} ms a token (least ${watched.least.toFixed(2)}), ${plain.median.toFixed(2)} (${plain.least.toFixed(2)}) with nobody watching: bookkeeping is ${share(plain.median, watched.median)} (least: ${share(plain.least, watched.least)})`,
  );
  for (const text of texts) await text.dispose();
  for (const reader of readers) await reader.dispose();
}

console.log(`one update of one layer, ${HEADS} key/value heads of ${GROUP} query heads, ${NEW} new tokens`);
for (const tokens of values.tokens.split(',').filter(Boolean)) await updates(Number(tokens));
if (decoded > 0) await decoding();
await engine.dispose();
