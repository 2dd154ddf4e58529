// One update of one layer beside the published program's arithmetic on the same engine, and what watching costs while decoding.
//   node bench/update.mjs [--tokens 512,1024,2048,4096] [--rounds 7] [--context 8192]
// On a machine that others use take processor time on one thread: PROCESSOR_TIME=1 PALIMPSEST_THREADS=1.
import { parseArgs } from 'node:util';
import { createTransformer } from '@palimpsest/backbone';
import { quantile } from '@palimpsest/base';
import { createEngine, ndarray, Rng } from '@palimpsest/tensor-core';
import { fullPolicy, manageTransformer, nammPolicy } from '../dist/index.js';
import { config, createUpdate, GROUP, HEADS, NEW, vector } from './one-update.mjs';
import { clock, ratio, summary } from './timing.mjs';

const { values } = parseArgs({
  options: {
    tokens: { type: 'string', default: '512,1024,2048,4096' },
    rounds: { type: 'string', default: '7' },
    context: { type: 'string', default: '8192' },
  },
});
const [rounds, context] = [Number(values.rounds), Number(values.context)];
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

/** Tokens decoded behind a long text under a cap, up to the next update, beside the same cache with nobody watching. */
async function decoding() {
  const transformer = createTransformer({
    ...{ vocabSize: 512, context: context + NEW, layers: 4, modelWidth: 128, heads: 8, keyValueHeads: HEADS },
    ...{ mlpWidth: 344, norm: 'rms', activation: 'swiglu' },
  });
  const params = transformer.init(rng);
  const capped = { ...config, selection: { kind: 'topk', cacheSize: 256 } };
  const policy = nammPolicy(capped, { vectors: [vector] });
  const readers = [fullPolicy(), policy].map((one) =>
    manageTransformer(transformer, one).compile(engine, params),
  );
  const [plain, watched] = readers.map((reader) => reader.read(1));
  const prompt = Int32Array.from({ length: context }, () => rng.int(512));
  (await watched.read(ndarray(prompt, [1, context], 'int32'))).dispose();
  const state = await watched.state();
  const bare = state.layers.map(({ keys, values, positions }) => ({ keys, values, positions }));
  const forms = [
    { texts: plain, state: { ...state, layers: bare } },
    { texts: watched, state },
  ];
  const times = [[], []];
  for (let round = 0; round <= rounds; round++) {
    for (const [i, { texts, state: before }] of forms.entries()) {
      texts.restore(before);
      const start = clock();
      for (let token = 0; token < NEW - 1; token++) {
        const logits = await texts.read(ndarray([token], [1, 1], 'int32'));
        await logits.data();
        logits.dispose();
      }
      if (round > 0) times[i].push((clock() - start) / (NEW - 1));
    }
  }
  const [without, own] = times.map(summary);
  const share = (a, b) => `${(100 * (1 - a / b)).toFixed(1)} %`;
  const paired = quantile(
    times[1].map((time, i) => time - times[0][i]),
    0.5,
  );
  console.log(
    `decoding ${NEW - 1} tokens behind ${context} under a cap of 256: ${own.median.toFixed(4)} ms a token (least ${own.least.toFixed(4)}), ${without.median.toFixed(4)} (${without.least.toFixed(4)}) with nobody watching: bookkeeping is ${share(without.median, own.median)} (least: ${share(without.least, own.least)}), ${paired.toFixed(4)} ms`,
  );
  watched.restore(state);
  // What the published program holds: averages, the rows of the last interval, and those that wait since then.
  let [waiting, least] = [0, Number.POSITIVE_INFINITY];
  for (let token = 1; token < NEW; token++) {
    (await watched.read(ndarray([token], [1, 1], 'int32'))).dispose();
    waiting += GROUP * HEADS * (256 + token);
    const reference = 4 * transformer.options.layers * (HEADS * (17 + NEW) * 256 + waiting);
    // Without keys, values and their positions.
    const { stateBytes, keyValueBytes } = watched;
    least = Math.min(least, reference / (stateBytes - keyValueBytes * (1 + 1 / (2 * 16))));
  }
  console.log(
    `what the policy carries meanwhile is at most 1/${least.toFixed(1)} of the published program's`,
  );
  for (const { texts } of forms) await texts.dispose();
  for (const reader of readers) await reader.dispose();
}

console.log(`one update of one layer, ${HEADS} key/value heads of ${GROUP} query heads, ${NEW} new tokens`);
for (const tokens of values.tokens.split(',').filter(Boolean)) await updates(Number(tokens));
if (context > 0) await decoding();
await engine.dispose();
