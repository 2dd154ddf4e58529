import {
  adamw,
  clipByGlobalNorm,
  crossEntropy,
  embedding,
  linear,
  tf,
  treeMap,
  treeZip,
  valueAndGradient,
  zeros,
} from '../../tensor-core/dist/index.js';
import { blockForward, readDense } from '../dist/index.js';

/** The reference's dense memory for a batch, on the host. */
export function denseState(model, batch) {
  const { dModel, sketchDim } = model.options;
  return {
    position: zeros([batch], 'int32'),
    block: { keySum: zeros([batch, sketchDim, 2]), valueMemory: zeros([batch, 2, dModel, sketchDim]) },
  };
}

/** One token through the reference's algorithm: dense sketches, three transforms, dense value memory. */
export function denseForward(model, params, token, state) {
  const input = tf.expandDims(embedding(params.embedding, token), 1);
  const result = blockForward(
    params.blocks[0],
    input,
    state.position,
    state.block,
    model.options,
    model.plans[0],
    { compute: true, reader: readDense },
  );
  const rows = tf.reshape(result.output, [-1, model.options.dModel]);
  const position = tf.add(state.position, tf.scalar(1, 'int32'));
  return { logits: linear(rows, params.head.weight), state: { position, block: result.state } };
}

/**
 * A training step of the reference: gradients are detached from the memory, so every token's backward pass is its own; it
 * is compiled once for one token, the dense state donated from token to token and the gradients accumulated.
 */
export function baselineTrainer(engine, model, time) {
  const optimizer = adamw({ betas: [0.9, 0.95] });
  const tokenStep = engine.compile(
    (params, gradients, state, x, y) => {
      const result = valueAndGradient((current) => {
        const { logits, state: next } = denseForward(model, current, x, state);
        return [tf.mul(crossEntropy(logits, y), 1 / time), next];
      }, params);
      const total = treeZip([gradients, fill(result.gradients, params)], ([sum, more]) => tf.add(sum, more));
      return { gradients: total, state: result.aux, loss: result.value };
    },
    { name: 'reference token step', donate: [1, 2] },
  );
  const update = engine.compile(
    (params, gradients, state) => {
      const clipped = clipByGlobalNorm(gradients, 1);
      const next = optimizer.update(params, clipped.gradients, state, { learningRate: tf.scalar(1e-3) });
      return { params: next.parameters, state: next.state };
    },
    { name: 'reference update', donate: [0, 1, 2] },
  );
  return { optimizer, tokenStep, update };
}

/** Gradients with zeros where a parameter has none, so that they can be summed. */
function fill(gradients, params) {
  const known = new Map();
  treeMap(gradients, (leaf, path) => known.set(path, leaf));
  return treeMap(params, (leaf, path) => known.get(path) ?? tf.zerosLike(leaf));
}
