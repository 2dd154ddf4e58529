// A 4-layer, 4-head, 128-wide GPT of 0.8 M parameters: the yardstick model of the benchmarks.
import {
  adamw,
  addLinear,
  applyRotary,
  cachedAttention,
  causalMask,
  clipByGlobalNorm,
  crossEntropy,
  embedding,
  full,
  gelu,
  layerNorm,
  linear,
  normalInit,
  Rng,
  rotaryTable,
  softmax,
  tf,
  valueAndGradient,
  zeros,
} from '../dist/index.js';

export const shape = { layers: 4, heads: 4, model: 128, vocabulary: 65, time: 64, batch: 12 };

export function initialise(size = shape, seed = 1) {
  const rng = Rng.fromSeed(seed);
  const { model: d, layers, vocabulary } = size;
  const weight = (rows, columns, scale = 1) => normalInit(rng, [rows, columns], 0.02 * scale);
  const residual = 1 / Math.sqrt(2 * layers);
  return {
    embedding: weight(vocabulary, d),
    blocks: Array.from({ length: layers }, () => ({
      norm1: { gain: full([d], 1), bias: zeros([d]) },
      attention: weight(3 * d, d),
      projection: weight(d, d, residual),
      norm2: { gain: full([d], 1), bias: zeros([d]) },
      up: weight(4 * d, d),
      down: weight(d, 4 * d, residual),
    })),
    norm: { gain: full([d], 1), bias: zeros([d]) },
  };
}

export function countParameters(tree) {
  if (tree.data) return tree.data.length;
  return Object.values(tree).reduce((sum, child) => sum + countParameters(child), 0);
}

const norm = (x, { gain, bias }) => layerNorm(x, gain, bias);

/** @param ids `[batch, time]` @returns logits `[batch · time, vocabulary]` */
export function forward(parameters, ids, size = shape) {
  const { heads, model: d } = size;
  const [batch, time] = ids.shape;
  const width = d / heads;
  const mask = causalMask(time);
  const rotary = rotaryTable([...Array(time).keys()], width);
  let x = embedding(parameters.embedding, tf.reshape(ids, [batch * time]));
  for (const block of parameters.blocks) {
    const packed = tf.reshape(linear(norm(x, block.norm1), block.attention), [batch, time, 3, heads, width]);
    const [q, k, v] = tf
      .split(tf.transpose(packed, [2, 0, 3, 1, 4]), 3, 0)
      .map((part) => tf.reshape(part, [batch * heads, time, width]));
    const query = tf.mul(applyRotary(q, rotary.cos, rotary.sin), 1 / Math.sqrt(width));
    const scores = tf.matMul(query, applyRotary(k, rotary.cos, rotary.sin), false, true);
    const read = tf.matMul(softmax(tf.add(scores, mask)), v);
    const merged = tf.reshape(tf.transpose(tf.reshape(read, [batch, heads, time, width]), [0, 2, 1, 3]), [
      batch * time,
      d,
    ]);
    x = addLinear(x, merged, block.projection);
    x = addLinear(x, gelu(linear(norm(x, block.norm2), block.up)), block.down);
  }
  return linear(norm(x, parameters.norm), parameters.embedding);
}

const optimiser = adamw({ betas: [0.9, 0.99], weightDecay: 0.1 });

export function initialState(parameters) {
  return { parameters, optimiser: optimiser.init(parameters) };
}

/** One training step: forward, backward, clip, AdamW. */
export function trainStep(state, ids, targets) {
  const { value, gradients } = valueAndGradient(
    (parameters) => crossEntropy(forward(parameters, ids), tf.reshape(targets, [targets.size])),
    state.parameters,
  );
  const clipped = clipByGlobalNorm(gradients, 1);
  const next = optimiser.update(state.parameters, clipped.gradients, state.optimiser, {
    learningRate: tf.scalar(1e-3),
  });
  return { loss: value, norm: clipped.norm, state: { parameters: next.parameters, optimiser: next.state } };
}

/** Multiply-adds of a step, twice: 6 per parameter that multiplies and token, and the attention products. */
export function trainFlops(parameters, size = shape) {
  const tokens = size.batch * size.time;
  return 6 * countParameters(parameters) * tokens + 12 * size.layers * size.time * size.model * tokens;
}

/** One decode step: caches of keys and values per layer, `[1, heads, capacity, width]` each. */
export function decodeStep(parameters, id, caches, position, size = shape) {
  let x = embedding(parameters.embedding, tf.reshape(id, [1]));
  const next = parameters.blocks.map((block, layer) => {
    const packed = linear(norm(x, block.norm1), block.attention);
    const { read, cache } = cachedAttention(packed, caches[layer], position, size.heads);
    x = addLinear(x, read, block.projection);
    x = addLinear(x, gelu(linear(norm(x, block.norm2), block.up)), block.down);
    return cache;
  });
  return { logits: linear(norm(x, parameters.norm), parameters.embedding), caches: next };
}

/** The matrix-vector products of a decode step, and nothing else, as one graph. */
export function decodeProducts(parameters, id, size = shape) {
  let x = embedding(parameters.embedding, tf.reshape(id, [1]));
  for (const block of parameters.blocks) {
    const packed = linear(x, block.attention);
    x = linear(tf.slice(packed, [0, 0], [1, size.model]), block.projection);
    x = linear(linear(x, block.up), block.down);
  }
  return linear(x, parameters.embedding);
}
