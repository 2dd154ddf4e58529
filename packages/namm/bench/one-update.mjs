// One update of one layer, by this package and by the published program's arithmetic on the same engine, on the same random rows.
import { ndarray, Rng, tf } from '@palimpsest/tensor-core';
import { groupMean, nammPolicy, parameterCount, resolveNAMMConfig, selectTokens } from '../dist/index.js';
import { referenceFeatures, referenceScores, referenceSelection } from './reference-update.mjs';

export const [HEADS, GROUP, NEW] = [4, 2, 512];
const [PIECE, WIDTH] = [128, 16];
export const config = resolveNAMMConfig({ normalise: false });
const rng = Rng.fromSeed(1);
const drawn = rng.normalArray([parameterCount(config)], 0, 0.3);
export const vector = drawn.data;
const policy = nammPolicy(config, { vectors: [vector] });

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
  return ndarray(data, [1, HEADS * GROUP, queries, tokens]);
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

/**
 * An update at a cache of so many tokens.
 * @returns `own` and `reference` compute it; `arrays` are what both start from, on the host
 */
export function createUpdate(engine, tokens) {
  const old = tokens - NEW;
  const raw = Array.from({ length: NEW / PIECE }, (_, i) => attentionRows(PIECE, old + (i + 1) * PIECE));
  const places = ndarray(
    Int32Array.from({ length: HEADS * tokens }, (_, i) => i % tokens),
    [1, HEADS, tokens],
    'int32',
  );
  const cached = rng.normalArray([1, HEADS, tokens, WIDTH], 0, 1);
  const [positions, keys] = [engine.put(places), engine.put(cached)];
  const pieces = raw.map((piece) => engine.put(piece));
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
  const nothing = (width) => ndarray(new Float32Array(0), [1, HEADS, 0, width]);
  const block = old === 0 ? nothing(NEW) : transposed(before.rows, NEW);
  const average = old === 0 ? nothing(17) : transposed(before.average, 17);
  const [oldBlock, oldAverage] = [engine.put(block), engine.put(average)];
  const heldBytes = bytesOf(raw) + bytesOf([oldBlock, oldAverage]);
  const reference = async () => {
    const next = await features(pieces, oldBlock, oldAverage);
    const scored = await scoreAll(drawn, next.average, positions);
    const scores = await scored.toHost();
    const { kept } = referenceSelection(scores);
    const left = await keepAll(next, cache, kept);
    const after = bytesOf(left.state);
    dispose(next, scored, left);
    return { scores, kept, after };
  };

  return {
    own,
    reference,
    arrays: { pieces: raw, block, average, positions: places, keys: cached, vector: drawn },
    heldBytes,
    /** The most bytes that the state had in any call of `own` so far. */
    largestOwn: () => largestOwn,
    async dispose() {
      await Promise.all([observe, score, keep, features, scoreAll, keepAll].map((form) => form.dispose()));
      dispose(pieces, positions, keys, oldState, oldBlock, oldAverage);
    },
  };
}
