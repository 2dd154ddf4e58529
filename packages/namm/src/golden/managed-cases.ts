import type { GoldenHandler, GoldenOutputs } from '@palimpsest/base/golden';
import { type Engine, type NDArray, ndarray } from '@palimpsest/tensor-core';
import { gatherRows } from '../eviction/gather.js';
import { manageTransformer } from '../managed/managed-transformer.js';
import type { UpdateReport } from '../managed/update.js';
import { nammPolicy } from '../policy/namm-policy.js';
import { configOf } from './case-parts.js';
import { languageModel } from './language-model.js';
import { rowsOf } from './policy-case.js';

interface ManagedCase {
  readonly model: Record<string, number>;
  readonly namm: Record<string, unknown>;
  readonly updateInterval: number;
  readonly maxNewTokensPerForward?: number;
}

/** Positions that an update keeps: `[batch, heads, most]`, right-aligned. */
const positionsAfter = ({ positions, kept }: UpdateReport['layers'][number]): NDArray =>
  gatherRows(positions, kept, -1);

const argMax = (values: ArrayLike<number>): number => {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
};

/** Greedy generation while all heads and texts keep as many tokens as the one that keeps most. */
export const generateCase: GoldenHandler = {
  system: 'namm',
  kind: 'namm-generate',
  async run(testCase, context) {
    const {
      model: size,
      namm,
      updateInterval,
      maxNewTokensPerForward,
    } = testCase.config as unknown as ManagedCase;
    const engine = context.engine as Engine;
    const { model, params } = languageModel(testCase, size);
    const config = configOf({ ...namm, updateInterval });
    const policy = nammPolicy(config, { vectors: rowsOf(testCase.array('weights/namm.params')) });
    const managed = manageTransformer(model, policy, {
      updateInterval,
      maxTokensPerForward: maxNewTokensPerForward!,
    });
    const outputs: Record<string, GoldenOutputs[string]> = {};
    let update = 0;
    const lengths = new Array<number>(size.nLayers!).fill(0);
    let fresh = 0;
    const reader = managed.compile(engine, params);
    const texts = reader.read(1, {
      onUpdate: ({ layers }) => {
        for (const layer of layers) {
          const positions = positionsAfter(layer);
          outputs[`out/u${update}_l${layer.layer}_positions`] = positions.data;
          lengths[layer.layer] = positions.shape[2]!;
        }
        fresh = 0;
        update += 1;
      },
    });
    const prompt = testCase.array('in/prompt');
    const tokens: number[] = [];
    const logits: number[] = [];
    const cacheLengths: number[] = [];
    let given: NDArray = prompt;
    const counts = testCase.shape('out/tokens')[1]!;
    for (let step = 0; step < counts; step++) {
      // Tokens that came after the last update are counted from the multiple of the interval where it ran.
      const last = await texts.read(given);
      fresh = texts.seen % updateInterval;
      const values = await last.data();
      last.dispose();
      logits.push(...values);
      tokens.push(argMax(values));
      cacheLengths.push(...lengths.map((length) => length + fresh));
      given = ndarray(Int32Array.of(tokens.at(-1)!), [1, 1], 'int32');
    }
    await texts.dispose();
    await reader.dispose();
    return { ...outputs, 'out/tokens': tokens, 'out/logits': logits, 'out/cacheLengths': cacheLengths };
  },
};

/** Every head of every text keeps its own tokens. */
export const raggedCase: GoldenHandler = {
  system: 'namm',
  kind: 'ragged-cache',
  async run(testCase, context) {
    const { model: size, namm, updateInterval } = testCase.config as unknown as ManagedCase;
    const engine = context.engine as Engine;
    const { model, params } = languageModel(testCase, size);
    const config = configOf({ ...namm, updateInterval }, { mode: 'improved' });
    const policy = nammPolicy(config, { vectors: rowsOf(testCase.array('weights/namm.params')) });
    const managed = manageTransformer(model, policy, { updateInterval, maxTokensPerForward: null });
    const ids = testCase.array('in/ids');
    const [batch, time] = ids.shape as [number, number];
    const outputs: Record<string, GoldenOutputs[string]> = {};
    const longest = new Map<number, number>();
    let update = 0;
    const reader = managed.compile(engine, params);
    const texts = reader.read(batch, {
      onUpdate: ({ seen, layers }) => {
        for (const report of layers) {
          const name = `out/u${update}_l${report.layer}`;
          outputs[`${name}_positions`] = positionsAfter(report).data;
          outputs[`${name}_lengths`] = report.lengths.data;
          outputs[`${name}_scoresOnOriginalAxis`] = onOriginalAxis(report, seen);
          longest.set(report.layer, report.kept.shape[2]!);
        }
        update += 1;
      },
    });
    const logits = await texts.readAll(ids);
    outputs['out/logits'] = logits.data;
    const state = await texts.state();
    const tail = time % updateInterval;
    for (const [layer, { keys, values }] of state.layers.entries()) {
      // What came after the last update is no part of the result.
      const [rows, heads, slots] = keys.shape as [number, number, number];
      const most = longest.get(layer)!;
      const chosen = Int32Array.from(
        { length: rows * heads * most },
        (_, index) => slots - tail - most + (index % most),
      );
      const kept = ndarray(chosen, [rows, heads, most], 'int32');
      outputs[`out/final_l${layer}_key`] = gatherRows(keys, kept).data;
      outputs[`out/final_l${layer}_value`] = gatherRows(values, kept).data;
    }
    await texts.dispose();
    await reader.dispose();
    return outputs;
  },
};

/** Scores at the original positions, 0 where a token is gone: `[batch, heads, seen]`. */
function onOriginalAxis({ scores, positions }: UpdateReport['layers'][number], seen: number): Float32Array {
  const [batch, heads, slots] = scores.shape as [number, number, number];
  const result = new Float32Array(batch * heads * seen);
  for (let index = 0; index < scores.data.length; index++) {
    const position = positions.data[index]!;
    if (position >= 0) result[Math.floor(index / slots) * seen + position] = scores.data[index]!;
  }
  return result;
}
