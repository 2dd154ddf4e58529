import {
  dropout,
  embedding,
  linear,
  type Rng,
  type ToHost,
  tf,
  uniformInit,
  zeros,
} from '@palimpsest/tensor-core';
import type { JsonObject, SequenceModel } from '../../src/index.js';

export type GatedParams = {
  readonly embedding: tf.Tensor;
  readonly gate: { readonly weight: tf.Tensor; readonly bias: tf.Tensor };
  readonly value: { readonly weight: tf.Tensor };
  readonly readout: { readonly weight: tf.Tensor; readonly bias: tf.Tensor };
  readonly start: tf.Tensor;
};
export type GatedState = { readonly hidden: tf.Tensor; readonly position: tf.Tensor };

export interface GatedConfig extends JsonObject {
  readonly vocabSize: number;
  readonly width: number;
  readonly dropout: number;
}

/** h ← a ∘ h + (1 − a) ∘ tanh(W e) with a = σ(V e + b): the smallest model with a memory, a learned start and dropout. */
export function gatedRecurrence(config: GatedConfig): SequenceModel<GatedParams, GatedState> {
  const { vocabSize, width } = config;
  const advance = (params: GatedParams, embedded: tf.Tensor, hidden: tf.Tensor) => {
    const gate = tf.sigmoid(linear(embedded, params.gate.weight, params.gate.bias));
    const value = tf.tanh(linear(embedded, params.value.weight));
    return tf.add(tf.mul(gate, hidden), tf.mul(tf.sub(1, gate), value));
  };
  const readout = (params: GatedParams, hidden: tf.Tensor) =>
    linear(hidden, params.readout.weight, params.readout.bias);
  return {
    name: 'gated-recurrence',
    config,
    vocabSize,
    init: (rng: Rng): ToHost<GatedParams> => ({
      embedding: uniformInit(rng, [vocabSize, width], 0.5),
      gate: { weight: uniformInit(rng, [width, width], 0.3), bias: zeros([width]) },
      value: { weight: uniformInit(rng, [width, width], 0.5) },
      readout: { weight: uniformInit(rng, [vocabSize, width], 0.3), bias: zeros([vocabSize]) },
      start: uniformInit(rng, [width], 0.1),
    }),
    initState: (params, batch) => ({
      hidden: tf.tile(tf.reshape(params.start, [1, width]), [batch, 1]),
      position: tf.zeros([batch], 'int32'),
    }),
    forward: (params, tokens, state, context) => {
      const [batch, time] = tokens.shape;
      const embedded = tf.unstack(embedding(params.embedding, tokens), 1);
      let { hidden } = state;
      const outputs = embedded.map((x) => {
        hidden = advance(params, x, hidden);
        return hidden;
      });
      let flat = tf.reshape(tf.stack(outputs, 1), [batch * time, width]);
      if (context.training && context.dropoutKey) flat = dropout(flat, config.dropout, context.dropoutKey);
      const logits = tf.reshape(readout(params, flat), [batch, time, vocabSize]) as tf.Tensor3D;
      return {
        logits,
        state: { hidden, position: tf.add(state.position, tf.scalar(time, 'int32')) },
        telemetry: context.telemetry ? { hiddenMean: tf.mean(tf.abs(flat)) } : undefined,
      };
    },
    step: (params, token, state) => {
      const hidden = advance(params, embedding(params.embedding, token), state.hidden);
      const position = tf.add(state.position, tf.scalar(1, 'int32'));
      return { logits: readout(params, hidden) as tf.Tensor2D, state: { hidden, position } };
    },
    parameterGroups: () => [{ match: /^gate\.bias$/, rate: 10 }],
  };
}

/** What `loadCheckpoint` needs. */
export const testModels = {
  'gated-recurrence': (config: JsonObject) => gatedRecurrence(config as GatedConfig),
};
