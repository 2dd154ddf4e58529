import {
  createTransformer,
  type Transformer,
  type TransformerParameters,
  toLlamaWeights,
} from '@palimpsest/backbone';
import type { GoldenCase, GoldenHandler, GoldenOutputs } from '@palimpsest/base/golden';
import {
  adamw,
  clipByGlobalNorm,
  crossEntropy,
  type Engine,
  type NDArray,
  runOnce,
  tf,
  valueAndGradient,
} from '@palimpsest/tensor-core';
import { languageModel } from './language-model.js';

/** Mean cross-entropy of the next tokens, over batch and time. */
function nextTokenLoss(model: Transformer, params: TransformerParameters, ids: tf.Tensor): tf.Scalar {
  const [batch, time] = ids.shape as [number, number];
  const state = model.initState(params, batch);
  const { logits } = model.run(params, { tokens: tf.slice(ids, [0, 0], [batch, time - 1]) }, state);
  const rows = tf.reshape(logits!, [batch * (time - 1), model.vocabSize]);
  return crossEntropy(rows, tf.reshape(tf.slice(ids, [0, 1], [batch, time - 1]), [-1]));
}

async function forward(
  testCase: GoldenCase,
  engine: Engine,
  model: Transformer,
  params: TransformerParameters<NDArray>,
) {
  const ids = testCase.array('in/ids');
  const run = (tree: TransformerParameters, tokens: tf.Tensor) => {
    const [batch, time] = tokens.shape as [number, number];
    const start = model.initState(tree, batch);
    const whole = model.run(tree, { tokens }, start, { observedQueries: time, placement: 'extend' });
    const part = (from: number, count: number) => tf.slice(tokens, [0, from], [batch, count]);
    const first = model.run(tree, { tokens: part(0, 7) }, start, { placement: 'extend' });
    const second = model.run(tree, { tokens: part(7, time - 7) }, first.state, { placement: 'extend' });
    return {
      logits: whole.logits!,
      chunked: tf.concat([first.logits!, second.logits!], 1),
      attention: whole.attention!,
      layers: whole.state.layers.map(({ keys, values }) => ({ keys, values })),
    };
  };
  const result = await runOnce(engine, run, params, ids);
  const outputs: Record<string, GoldenOutputs[string]> = {
    'out/logits': result.logits.data,
    'out/logits@chunks of 7 and 12': result.chunked.data,
  };
  result.layers.forEach(({ keys, values }, layer) => {
    outputs[`out/attn_l${layer}`] = result.attention[layer]!.data;
    outputs[`out/key_l${layer}`] = keys.data;
    outputs[`out/value_l${layer}`] = values.data;
  });
  return outputs;
}

/** Two steps of AdamW that decay every matrix, embeddings and head included. */
async function training(
  testCase: GoldenCase,
  engine: Engine,
  model: Transformer,
  params: TransformerParameters<NDArray>,
) {
  const optimizer = adamw({
    betas: [0.9, 0.95],
    weightDecay: 0.1,
    groups: [{ match: (path) => path.endsWith('.gain'), weightDecay: 0 }],
  });
  const step = (
    tree: TransformerParameters,
    state: { step: tf.Tensor; first: TransformerParameters; second: TransformerParameters },
    ids: tf.Tensor,
  ) => {
    const { value, gradients } = valueAndGradient(
      (weights: TransformerParameters) => nextTokenLoss(model, weights, ids),
      tree,
    );
    const clipped = clipByGlobalNorm(gradients, 1);
    const next = optimizer.update(tree, clipped.gradients, state, { learningRate: tf.scalar(3e-3) });
    return { loss: value, gradients, norm: clipped.norm, next };
  };
  const ids = testCase.array('in/ids');
  const first = await runOnce(engine, step, params, optimizer.init(params), ids);
  const second = await runOnce(engine, step, first.next.parameters, first.next.state, ids);
  const named = (prefix: string, tree: TransformerParameters<NDArray>) =>
    [...toLlamaWeights(model.options, tree)].map(([key, { data }]) => [prefix + key, data] as const);
  return {
    'out/loss': first.loss.data,
    'out/stepLoss': [first.loss.data[0]!, second.loss.data[0]!],
    'out/gradNorm': [first.norm.data[0]!, second.norm.data[0]!],
    ...Object.fromEntries(named('grad/', first.gradients as TransformerParameters<NDArray>)),
    ...Object.fromEntries(named('out/after2/', second.next.parameters)),
  };
}

/** The model that is managed: logits, attention, cache, gradients, two steps of training. */
export const baseLmCase: GoldenHandler = {
  system: 'namm',
  kind: 'base-lm',
  async run(testCase, context) {
    const engine = context.engine as Engine;
    const { model: plain, params } = languageModel(testCase, testCase.config as Record<string, number>);
    const model = createTransformer({ ...plain.options, evictable: true });
    return {
      ...(await forward(testCase, engine, model, params)),
      ...(await training(testCase, engine, model, params)),
    };
  },
};
