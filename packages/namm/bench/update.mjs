// One update of one layer beside the published program's arithmetic on the same engine, and what watching costs while decoding.
//   node bench/update.mjs [--tokens 512,1024,2048,4096] [--rounds 7] [--decoded 96]
// On a machine that others use take processor time on one thread: PROCESSOR_TIME=1 PALIMPSEST_THREADS=1.
import { parseArgs } from 'node:util';
import { createTransformer } from '@palimpsest/backbone';
import { createEngine, ndarray, Rng, tf } from '@palimpsest/tensor-core';
import {
  fullPolicy,
  groupMean,
  manageTransformer,
  nammPolicy,
  parameterCount,
  resolveNAMMConfig,
  selectTokens,
} from '../dist/index.js';
import { referenceFeatures, referenceScores, referenceSelection } from './reference-update.mjs';
import { clock, ratio, summary } from './timing.mjs';

const { values } = parseArgs({
  options: {
    tokens: { type: 'string', default: '512,1024,2048,4096' },
    rounds: { type: 'string', default: '7' },
    decoded: { type: 'string', default: '96' },
  },
});
const [rounds, decoded] = [Number(values.rounds), Number(values.decoded)];
const [HEADS, GROUP, NEW, PIECE, WIDTH] = [4, 2, 512, 128, 16];
const config = resolveNAMMConfig({ normalise: false });
const engine = await createEngine('onnx');
const rng = Rng.fromSeed(1);
const vector = rng.normalArray([parameterCount(config)], 0, 0.3);
const policy = nammPolicy(config, { vectors: [vector.data] });

const bytesOf = (tree) => {
  const leaves = [];
  const walk = (node) => {
    if (node && typeof node === 'object' && 'shape' in node && 'dtype' in node) leaves.push(node);
    else if (node && typeof node === 'object') Object.values(node).forEach(walk);
  };
  walk(tree);
  return leaves.reduce((sum, { shape }) => sum + 4 * shape.reduce((a, b) => a * b, 1), 0);
};
const dispose = (...trees) => {
  for (const tree of trees) {
    if (tree && typeof tree.dispose === 'function') tree.dispose();
    else if (tree && typeof tree === 'object') dispose(...Object.values(tree));
  }
};

/** Attention of a piece that ends so many tokens before the newest: rows that sum to 1. */
function attentionRows(queries, tokens) {
  const data = new Float32Array(HEADS * GROUP * queries * tokens);
  for (let row = 0; row < HEADS * GROUP * queries; row++) {
    const visible = tokens - queries + (row % queries) + 1;
    let sum = 0;
    for (let j = 0; j < visible; j++) sum += data[row * tokens + j] = rng.uniform() ** 4;
    for (let j = 0; j < visible; j++) data[row * tokens + j] /= sum;
  }
  return engine.put(ndarray(data, [1, HEADS * GROUP, queries, tokens]));
}

/** Columns of tokens that stay, `[1, heads, tokens, ...]`. */
const gather = (x, kept) => {
  const [, heads, tokens, ...rest] = x.shape;
  const flat = tf.reshape(x, [heads * tokens, ...rest]);
  const starts = tf.tensor3d(
    Int32Array.from({ length: heads }, (_, h) => h * tokens),
    [1, heads, 1],
    'int32',
  );
  const places = tf.add(tf.maximum(kept, tf.scalar(0, 'int32')), starts);
  return tf.reshape(tf.gather(flat, tf.reshape(places, [-1])), [1, heads, kept.shape[2], ...rest]);
};
const tokenMajor = (x) => tf.transpose(x, [0, 1, 3, 2]);

async function updates(tokens) {
  const old = tokens - NEW;
  const pieces = Array.from({ length: NEW / PIECE }, (_, i) => attentionRows(PIECE, old + (i + 1) * PIECE));
  const raw = await Promise.all(pieces.map((piece) => piece.toHost()));
  const positions = engine.put(
    ndarray(
      Int32Array.from({ length: HEADS * tokens }, (_, i) => i % tokens),
      [1, HEADS, tokens],
      'int32',
    ),
  );
  const keys = engine.put(rng.normalArray([1, HEADS, tokens, WIDTH], 0, 1));
  const cache = { keys, values: keys };
  const before = {
    average: rng.normalArray([1, HEADS, 17, old], 0.001, 1e-4),
    rows: rng.normalArray([1, HEADS, NEW, old], 1 / tokens, 1e-6),
  };

  // This package: rows are taken in piece by piece.
  const observe = engine.compile(
    (attention, state) =>
      policy.observe(state, { layer: 0, rows: groupMean(attention, HEADS), tokens: attention.shape[3] }),
    { name: 'observe' },
  );
  const score = engine.compile(
    (state, parameters, places) =>
      policy.score({
        state,
        parameters,
        positions: places,
        valid: tf.greaterEqual(places, 0),
        isPacked: true,
      }),
    { name: 'score' },
  );
  const keep = engine.compile(
    ({ average, ring }, { keys: k, values: v }, kept) => ({
      state: [average, ring].map((x) => gather(tokenMajor(x), kept)),
      cache: [gather(k, kept), gather(v, kept)],
    }),
    { name: 'keep' },
  );
  const parameters = policy.parameters({ layer: 0, heads: HEADS });
  const oldState =
    old === 0
      ? undefined
      : engine.put({
          tokens: {
            average: before.average,
            ring: ndarray(
              Float32Array.from({ length: HEADS * 16 * old }, (_, i) => {
                const [head, row, token] = [Math.floor(i / (16 * old)), Math.floor(i / old) % 16, i % old];
                return before.rows.data[(head * NEW + NEW - 16 + row) * old + token];
              }),
              [1, HEADS, 16, old],
            ),
          },
        });
  let largestOwn = 0;
  const own = async () => {
    let state = oldState;
    for (const piece of pieces) {
      const next = await observe(piece, state);
      if (state !== oldState) dispose(state);
      state = next;
      largestOwn = Math.max(largestOwn, bytesOf(state));
    }
    const scored = await score(state, parameters, positions);
    const scores = await scored.toHost();
    const { kept } = selectTokens(scores, policy.retention.rule);
    const left = await keep(state.tokens, cache, kept);
    const after = bytesOf(left.state);
    dispose(state, scored, left);
    return { scores, kept, after };
  };

  // The published program: rows wait until the update.
  const features = engine.compile(
    (rows, block, average) =>
      referenceFeatures(
        config,
        tf.concat(
          rows.map((row) =>
            tf.pad(row, [
              [0, 0],
              [0, 0],
              [0, 0],
              [0, tokens - row.shape[3]],
            ]),
          ),
          2,
        ),
        block,
        average,
      ),
    { name: 'referenceFeatures' },
  );
  const scoreAll = engine.compile((flat, average, places) => referenceScores(config, flat, average, places), {
    name: 'referenceScores',
  });
  const keepAll = engine.compile(
    ({ average, block }, { keys: k, values: v }, kept) => ({
      state: [gather(average, kept), gather(block, kept)],
      cache: [gather(k, kept), gather(v, kept)],
    }),
    { name: 'referenceKeep' },
  );
  const transposed = (array, width) =>
    ndarray(
      Float32Array.from({ length: HEADS * old * width }, (_, i) => {
        const [head, token, at] = [Math.floor(i / (old * width)), Math.floor(i / width) % old, i % width];
        return array.data[(head * width + at) * old + token];
      }),
      [1, HEADS, old, width],
    );
  const oldBlock = engine.put(
    old === 0 ? ndarray(new Float32Array(0), [1, HEADS, 0, NEW]) : transposed(before.rows, NEW),
  );
  const oldAverage = engine.put(
    old === 0 ? ndarray(new Float32Array(0), [1, HEADS, 0, 17]) : transposed(before.average, 17),
  );
  const heldBytes = bytesOf(raw) + bytesOf([oldBlock, oldAverage]);
  const reference = async () => {
    const next = await features(pieces, oldBlock, oldAverage);
    const scored = await scoreAll(vector, next.average, positions);
    const scores = await scored.toHost();
    const { kept } = referenceSelection(scores);
    const left = await keepAll(next, cache, kept);
    const after = bytesOf(left.state);
    dispose(next, scored, left);
    return { scores, kept, after };
  };

  const [a, b] = [await own(), await reference()];
  const apart = Math.max(...a.scores.data.map((value, i) => Math.abs(value - b.scores.data[i])));
  const size = Math.max(...a.scores.data.map(Math.abs));
  if (!(apart <= 1e-4 * Math.max(1, size))) throw new Error(`scores of ${tokens} tokens differ by ${apart}`);
  const times = [[], []];
  for (let round = 0; round < rounds; round++) {
    for (const [i, update] of [own, reference].entries()) {
      const start = clock();
      await update();
      times[i].push(clock() - start);
    }
  }
  const [fast, slow] = times.map(summary);
  const perToken = (bytes) => (bytes / (HEADS * tokens * 4)).toFixed(0);
  console.log(
    `n = ${tokens}: ${fast.median.toFixed(1)} ms (least ${fast.least.toFixed(1)}) against ${slow.median.toFixed(1)} ms (least ${slow.least.toFixed(1)}): ${ratio(slow, fast)} times as fast; ` +
      `state per token and head ${perToken(largestOwn)} numbers against ${perToken(heldBytes)} before the update (1/${(heldBytes / largestOwn).toFixed(1)}), ` +
      `1/${(b.after / b.kept.shape[2] / (a.after / a.kept.shape[2])).toFixed(1)} after it; scores differ by ${apart.toExponential(1)} of ${size.toFixed(2)}`,
  );
  await Promise.all([observe, score, keep, features, scoreAll, keepAll].map((form) => form.dispose()));
  dispose(pieces, positions, keys, oldState, oldBlock, oldAverage);
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
