import type { GoldenHandler, GoldenOutputs } from '@palimpsest/base/golden';
import { type Engine, type NDArray, ndarray, runOnce, tf } from '@palimpsest/tensor-core';
import { resolveNAMMConfig } from '../config.js';
import { gatherTokens } from '../features/attention-rows.js';
import {
  emptyStatistics,
  type FeatureStatistics,
  mergeStatistics,
  momentsOf,
  normaliseFeatures,
} from '../features/statistics.js';
import { advanceStream, type SpectrumStream } from '../features/stream.js';
import { tokenMajor } from './reduction-case.js';

/** Statistics that learn call by call, over two layers, then frozen. */
export const statisticsCase: GoldenHandler = {
  system: 'namm',
  kind: 'norm-stats',
  async run(testCase, context) {
    const engine = context.engine as Engine;
    const { nFft, hopLength, emaCoeff, numLayers } = testCase.config as Record<string, number>;
    const config = resolveNAMMConfig({ nFft, hopLength, emaCoeff });
    const outputs: Record<string, GoldenOutputs[string]> = {};
    const normalised = async (average: NDArray, { mean, variance }: FeatureStatistics) => {
      const run = (x: tf.Tensor, m: tf.Tensor, v: tf.Tensor) => tokenMajor(normaliseFeatures(x, m, v));
      return (await runOnce(engine, run, average, ndarray(mean), ndarray(variance))).data;
    };
    const observe = (attention: tf.Tensor, mask: tf.Tensor, kept: tf.Tensor, before?: SpectrumStream) => {
      const stream = advanceStream(config, attention, before);
      const carried = { average: gatherTokens(stream.average, kept), ring: gatherTokens(stream.ring!, kept) };
      return { average: stream.average, moments: momentsOf(stream.average, perHead(mask)), carried };
    };
    const perHead = (mask: tf.Tensor): tf.Tensor => tf.expandDims(mask, 1);
    const streams: (SpectrumStream<NDArray> | undefined)[] = [];
    let fresh = emptyStatistics(nFft! / 2 + 1);
    for (let update = 0; testCase.has(`in/u${update}_l0_attn`); update++) {
      for (let layer = 0; layer < numLayers!; layer++) {
        const name = `u${update}_l${layer}`;
        const given = ['attn', 'mask', 'keep'].map((part) => testCase.array(`in/${name}_${part}`));
        const before = streams[layer];
        const [attention, mask, kept] = given as [NDArray, NDArray, NDArray];
        const result = before
          ? await runOnce(engine, observe, attention, mask, kept, before)
          : await runOnce(
              engine,
              (a: tf.Tensor, m: tf.Tensor, k: tf.Tensor) => observe(a, m, k),
              attention,
              mask,
              kept,
            );
        streams[layer] = result.carried;
        const { mean, variance, count } = result.moments;
        fresh = mergeStatistics(fresh, {
          mean: Float32Array.from(mean.data),
          variance: Float32Array.from(variance.data),
          count: count.data[0]!,
        });
        outputs[`out/${name}_normalised`] = await normalised(result.average, fresh);
        outputs[`state/${name}_newMean`] = fresh.mean;
        outputs[`state/${name}_newVar`] = fresh.variance;
        outputs[`state/${name}_newNum`] = fresh.mean.map(() => fresh.count);
      }
    }
    const stored = mergeStatistics(emptyStatistics(nFft! / 2 + 1), fresh);
    const frozen = await runOnce(
      engine,
      (attention: tf.Tensor) => advanceStream(config, attention, undefined).average,
      testCase.array('in/frozen_attn'),
    );
    return {
      ...outputs,
      'state/merged_mean': stored.mean,
      'state/merged_var': stored.variance,
      'state/merged_num': stored.mean.map(() => stored.count),
      'out/frozen_normalised': await normalised(frozen, stored),
    };
  },
};
