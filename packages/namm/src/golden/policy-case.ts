import type { GoldenCase, GoldenHandler, GoldenJson, GoldenOutputs } from '@palimpsest/base/golden';
import { type Engine, type NDArray, ndarray, runOnce, type tf } from '@palimpsest/tensor-core';
import type { NAMMConfig } from '../config.js';
import type { FeatureStatistics } from '../features/statistics.js';
import { type KeyValue, LayerUpdates } from '../layer-updates.js';
import { featuresOf, nammPolicy } from '../policy/namm-policy.js';
import { configOf } from './case-parts.js';

/** Rows of a matrix as vectors. */
export const rowsOf = ({ data, shape }: NDArray): Float32Array[] =>
  Array.from({ length: shape[0]! }, (_, row) =>
    Float32Array.from(data.subarray(row * shape[1]!, (row + 1) * shape[1]!)),
  );

/** `[batch, heads, tokens, ...]` of two lists of tokens, one after the other. */
export function joinTokens(a: NDArray | undefined, b: NDArray): NDArray {
  if (!a) return b;
  const [batch, heads, first, ...rest] = a.shape as [number, number, number, ...number[]];
  const second = b.shape[2]!;
  const width = rest.reduce((size, extent) => size * extent, 1);
  const data = new (b.data.constructor as Float32ArrayConstructor)(batch * heads * (first + second) * width);
  for (let list = 0; list < batch * heads; list++) {
    const start = list * (first + second) * width;
    data.set(a.data.subarray(list * first * width, (list + 1) * first * width), start);
    data.set(b.data.subarray(list * second * width, (list + 1) * second * width), start + first * width);
  }
  return { ...b, data, shape: [batch, heads, first + second, ...rest] } as NDArray;
}

/** Positions from `start` on, the same for all. */
export const positionsFrom = (start: number, [batch, heads, tokens]: readonly number[]): NDArray =>
  ndarray(
    Int32Array.from({ length: batch! * heads! * tokens! }, (_, index) => start + (index % tokens!)),
    [batch!, heads!, tokens!],
    'int32',
  );

function statisticsOf(testCase: GoldenCase): FeatureStatistics[] | undefined {
  if (!testCase.has('state/norm_mean')) return undefined;
  const [mean, variance] = ['mean', 'var'].map((name) =>
    Float32Array.from(testCase.array(`state/norm_${name}`).data),
  ) as [Float32Array, Float32Array];
  return [{ mean, variance, count: 1 }];
}

interface Layer {
  kv?: KeyValue;
  positions?: NDArray;
}

/** The whole policy over layers whose keys, values and attention are given, with evictions between the updates. */
export const policyCase: GoldenHandler = {
  system: 'namm',
  kind: 'policy-updates',
  expects: ['summary'],
  async run(testCase, context) {
    const engine = context.engine as Engine;
    const { layers: count, kvHeads } = testCase.config as Record<string, number>;
    const config: NAMMConfig = configOf(testCase.config);
    const statistics = statisticsOf(testCase);
    const batch = testCase.shape('in/u0_c0_l0_attn')[0]!;
    const vectors = rowsOf(testCase.array('weights/params')).slice(0, batch);
    const policy = nammPolicy(config, { vectors, statistics });
    const updates = new LayerUpdates(engine, policy, kvHeads!);
    const outputs: Record<string, GoldenOutputs[string]> = {};
    const layers: Layer[] = Array.from({ length: count! }, () => ({}));
    const summary: GoldenJson[] = [];
    let seen = 0;
    for (let update = 0; testCase.has(`in/u${update}_c0_l0_attn`); update++) {
      let next = seen;
      for (const [index, layer] of layers.entries()) {
        next = seen;
        for (let chunk = 0; testCase.has(`in/u${update}_c${chunk}_l${index}_attn`); chunk++) {
          const name = (part: string) => `in/u${update}_c${chunk}_l${index}_${part}`;
          const key = joinTokens(layer.kv?.key, testCase.array(name('newKey')));
          const value = joinTokens(layer.kv?.value, testCase.array(name('newValue')));
          const fresh = testCase.array(name('newKey')).shape;
          layer.kv = { key, value };
          layer.positions = joinTokens(layer.positions, positionsFrom(next, fresh));
          next += fresh[2]!;
          await updates.observe(index, testCase.array(name('attn')));
        }
        const before = layer.positions!;
        const { average } = updates.state(index)!.tokens;
        const parameters = policy.parameters!({ layer: index, heads: kvHeads! });
        const embed = (spectrum: tf.Tensor, positions: tf.Tensor, tree: Record<string, tf.Tensor>) =>
          featuresOf(config, { positions, parameters: tree }, spectrum);
        const features = await runOnce(engine, embed, average!, before, parameters);
        const result = await updates.update(index, layer.kv!, before);
        layer.kv = result.kv;
        layer.positions = result.positions;
        const name = `u${update}_l${index}`;
        outputs[`out/${name}_embedding`] = features.data;
        outputs[`out/${name}_scores`] = result.scores.data;
        outputs[`out/${name}_kept`] = result.kept.data;
        outputs[`out/${name}_positions`] = result.positions.data;
        outputs[`out/${name}_passCount`] = result.passing.data;
        outputs[`out/${name}_key`] = result.kv.key.data;
        summary.push({
          ...{ update, layer: index, before: before.shape[2]!, kept: result.kept.shape[2]! },
          passing: rowsOf({ ...result.passing }).map((row) => Array.from(row)),
        });
      }
      seen = next;
    }
    for (const [index, { kv }] of layers.entries()) {
      outputs[`out/final_l${index}_value`] = kv!.value.data;
      const { average } = updates.state(index)!.tokens;
      const [, , width, tokens] = average!.shape as [number, number, number, number];
      outputs[`state/final_l${index}_ema`] = Float32Array.from(
        { length: average!.data.length },
        (_, place) => {
          const [list, rest] = [Math.floor(place / (tokens * width)), place % (tokens * width)];
          const [token, bin] = [Math.floor(rest / width), rest % width];
          return average!.data[(list * width + bin) * tokens + token]!;
        },
      );
    }
    await updates.dispose();
    return { ...outputs, summary };
  },
};
