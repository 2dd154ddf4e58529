import type { Transformer, TransformerParameters } from '@palimpsest/backbone';
import type { JsonObject, SequenceModel } from '@palimpsest/lm';
import { InputError, tf } from '@palimpsest/tensor-core';
import { withHeldRows } from '../policy/held-rows.js';
import type { CachePolicy } from '../policy/policy.js';
import { readFromTheStart } from './from-the-start.js';
import { ManagedDecoder } from './managed-decoder.js';
import { manageTransformer } from './managed-transformer.js';
import type { Schedule } from './schedule.js';

/** What graphs know of a memory whose arrays change their shapes: how much was read. */
export type PolicyModelState = { readonly position: tf.Tensor };

/**
 * A transformer under a policy as a sequence model: it trains on texts from their beginning, and is read on, saved, restored and
 * forked by its decoder, whose memory shrinks for real.
 */
export function policyModel(
  transformer: Transformer,
  policy: CachePolicy,
  schedule: Partial<Schedule> = {},
): SequenceModel<TransformerParameters, PolicyModelState> {
  const managed = manageTransformer(transformer, policy, schedule);
  const beginnings = new WeakSet<object>();
  const requireBeginning = ({ position }: PolicyModelState) => {
    if (beginnings.has(position.dataId)) return;
    throw new InputError(
      `A cache under a policy changes its shape with the text, which a graph cannot: read texts from their beginning, or on by the model's decoder or reader.`,
    );
  };
  const held = withHeldRows(policy);
  return {
    name: 'transformer-with-policy',
    config: {
      transformer: transformer.config,
      policy: JSON.parse(JSON.stringify(policy.config)) as JsonObject,
      schedule: JSON.parse(JSON.stringify(managed.schedule)) as JsonObject,
    },
    vocabSize: transformer.vocabSize,
    init: (rng) => transformer.init(rng),
    initState: (params, batch) => {
      const { position } = managed.model.initState(params, batch);
      beginnings.add(position.dataId);
      return { position };
    },
    forward: (params, tokens, state, { training, dropoutKey }) => {
      requireBeginning(state);
      if (managed.schedule.adaptive) {
        throw new InputError(
          'Where adaptive updates fall depends on what was kept, which no graph knows beforehand: read texts by the decoder or reader of the model, or train without adaptive.',
        );
      }
      const key = training ? dropoutKey : undefined;
      const logits = readFromTheStart(managed.model, held, managed.schedule, params, tokens, key);
      const [batch, time] = tokens.shape;
      return { logits, state: { position: tf.fill([batch], time, 'int32') } };
    },
    step: (_params, _token, state) => {
      requireBeginning(state);
      throw new InputError(
        'A cache under a policy decodes through the decoder of its model, not token by token in a graph.',
      );
    },
    decoder: async (engine, params) => {
      const reader = managed.compile(engine, params);
      const texts = reader.read(1);
      // From here on the decoder and its forks hold what is compiled.
      await reader.dispose();
      return new ManagedDecoder(texts);
    },
    reader: async (engine, params, batch) => {
      const reader = managed.compile(engine, params);
      const texts = reader.read(batch);
      await reader.dispose();
      return {
        read: (tokens) => texts.readAll(tokens),
        reset: async () => texts.reset(),
        get stateBytes() {
          return texts.stateBytes;
        },
        get largestStateBytes() {
          return texts.largestStateBytes;
        },
        dispose: () => texts.dispose(),
      };
    },
    parameterGroups: () => transformer.parameterGroups(),
  };
}
