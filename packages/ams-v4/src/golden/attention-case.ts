import type { GoldenHandler } from '@palimpsest/base/golden';
import { Rng, type tf, valueAndGradient } from '@palimpsest/tensor-core';
import {
  type CrossBundleParameters,
  crossBundleInit,
  crossBundlePrefix,
  type PerBundle,
  queryHeads,
} from '../prefix/cross-bundle-attention.js';
import { attendFibers } from '../prefix/fiber-attention.js';
import { configOf, contract, gradientOutputs, runCase, weightsOf } from './case-parts.js';

/** Queries, attention weights and the prefix with and without a mask, and all gradients. */
export const attentionCase: GoldenHandler = {
  system: 'ams-v4',
  kind: 'cross-bundle-attention',
  run: async (testCase, context) => {
    const config = configOf(testCase);
    const params = weightsOf(testCase, crossBundleInit(config, Rng.fromSeed(0)));
    const array = (name: string) => testCase.array<'float32'>(name);
    type Given = { params: CrossBundleParameters; hidden: tf.Tensor; fibers: PerBundle<tf.Tensor> };
    const given = {
      params,
      hidden: array('in/hidden'),
      fibers: { time: array('in/timeFibers'), topic: array('in/topicFibers'), ctx: array('in/ctxFibers') },
    };
    const { value, gradients, aux } = await runCase(
      context,
      (inputs: Given, cotangent: tf.Tensor, ignore: tf.Tensor) =>
        valueAndGradient(({ params, hidden, fibers }: Given) => {
          const prefix = crossBundlePrefix(params, config, hidden, fibers);
          const queries = queryHeads(params.query_heads, hidden);
          const weights = (bundle: 'time' | 'topic', heads: number) =>
            attendFibers(params[`attn_${bundle}`], heads, queries[bundle], fibers[bundle]).weights;
          const masked = crossBundlePrefix(params, config, hidden, fibers, ignore);
          const seen = {
            queries,
            prefix,
            masked,
            time: weights('time', config.nHeadsTime),
            topic: weights('topic', config.nHeadsTopic),
          };
          return [contract(prefix, cotangent), seen] as const;
        }, inputs),
      given,
      array('in/lossW'),
      testCase.array('in/maskIgnore'),
    );
    return {
      'out/qTime': aux.queries.time.data,
      'out/qTopic': aux.queries.topic.data,
      'out/qCtx': aux.queries.ctx.data,
      'out/attnWeightsTime': aux.time.data,
      'out/attnWeightsTopic': aux.topic.data,
      'out/prefix': aux.prefix.data,
      'out/prefixMasked': aux.masked.data,
      'out/loss': value.data,
      ...gradientOutputs(testCase, gradients.params),
      'grad/in.hidden': gradients.hidden!.data,
      'grad/in.timeFibers': gradients.fibers.time!.data,
      'grad/in.topicFibers': gradients.fibers.topic!.data,
      'grad/in.ctxFibers': gradients.fibers.ctx!.data,
    };
  },
};
