import { nodeModule } from '@palimpsest/base';
import {
  type GoldenCase,
  type GoldenHandler,
  type GoldenOutputs,
  MaskedValues,
} from '@palimpsest/base/golden';
import {
  type DeviceArray,
  type Engine,
  full,
  InputError,
  type NDArray,
  sizeOf,
  tf,
  treeLeaves,
  valueAndGradient,
} from '@palimpsest/tensor-core';
import { continueGreedily } from '../greedy.js';
import type { TransformerParameters } from '../parameters.js';
import { loadPretrained } from '../pretrained/load-pretrained.js';
import type { Transformer } from '../transformer.js';

/** The checkpoint folder that a case names, relative to its own. */
export async function folderOf(testCase: GoldenCase, name: unknown): Promise<string> {
  if (typeof name !== 'string')
    throw new InputError(`The case '${testCase.name}' names no checkpoint folder.`);
  const { resolve } = nodeModule('node:path');
  return resolve(testCase.folder, name);
}

type Values = ReadonlyMap<string, ArrayLike<number>>;

/** Runs a function once and reads every output by its path. */
async function runOnce<Args extends readonly unknown[]>(
  engine: Engine,
  fn: (...args: Args) => unknown,
  ...args: readonly unknown[]
): Promise<Values> {
  const compiled = engine.compile(fn, { name: 'golden case' });
  const values = new Map<string, ArrayLike<number>>();
  for (const { path, leaf } of treeLeaves<DeviceArray>(await compiled(...(args as never)))) {
    values.set(path, await leaf.data());
    leaf.dispose();
  }
  await compiled.dispose();
  return values;
}

/** A checkpoint's forward pass: hidden states, logits, soft prefix with its gradient, greedy continuations. */
export const backboneHandler: GoldenHandler = {
  system: 'backbone',
  kind: 'backbone',
  run: async (testCase, { engine: given }) => {
    const engine = given as Engine;
    const { model, params } = await loadPretrained(await folderOf(testCase, testCase.json.folder));
    const weights = engine.put(params);
    const outputs = {
      ...(await forwardOutputs(testCase, engine, model, weights)),
      ...(testCase.has('in/prefix') && (await prefixOutputs(testCase, engine, model, weights))),
      ...(await greedyOutputs(testCase, engine, model, weights)),
    };
    for (const { leaf } of treeLeaves<DeviceArray>(weights)) leaf.dispose();
    return outputs;
  },
};

const integers = (testCase: GoldenCase, name: string) => testCase.array<'int32'>(name);
const floats = (testCase: GoldenCase, name: string) => testCase.array<'float32'>(name);

/** Values `[batch, time, ...]` that count where the mask `[batch, time]` is not 0. */
function masked(values: ArrayLike<number>, mask: ArrayLike<number>): MaskedValues {
  const width = values.length / mask.length;
  return new MaskedValues(
    values,
    Array.from({ length: values.length }, (_, i) => mask[Math.floor(i / width)]!),
  );
}

async function forwardOutputs(
  testCase: GoldenCase,
  engine: Engine,
  model: Transformer,
  weights: unknown,
): Promise<GoldenOutputs> {
  if (!testCase.has('in/ids')) return {};
  const ids = integers(testCase, 'in/ids');
  const mask = testCase.has('in/mask') ? integers(testCase, 'in/mask') : full(ids.shape, 1, 'int32');
  const forward = (parameters: TransformerParameters, tokens: tf.Tensor, seen: tf.Tensor) => {
    const state = model.initState(parameters, tokens.shape[0]!);
    const masked = model.run(parameters, { tokens, mask: seen }, state, { hidden: true });
    const plain = model.run(parameters, { tokens }, state);
    return { logits: masked.logits!, hidden: masked.hidden!, plain: plain.logits! };
  };
  const values = await runOnce(engine, forward, weights, ids, mask);
  const { layers, modelWidth } = model.options;
  const hidden = Array.from({ length: layers + 1 }, (_, layer) => [
    `out/hidden${layer}`,
    () => masked(values.get(`hidden.${layer}`)!, mask.data),
  ]);
  const final = values.get(`hidden.${layers}`)!;
  return {
    ...Object.fromEntries(hidden),
    'out/finalHidden': () => masked(final, mask.data),
    'out/logits': () => masked(values.get('logits')!, mask.data),
    'out/logitsNoMask': () => values.get('plain')!,
    'out/pooled': () => maskedMean(final, mask.data, mask.shape[0]!, modelWidth),
  };
}

/** Mean over the rows of each text that the mask keeps. */
function maskedMean(
  rows: ArrayLike<number>,
  mask: ArrayLike<number>,
  batch: number,
  width: number,
): Float64Array {
  const means = new Float64Array(batch * width);
  const time = mask.length / batch;
  for (let text = 0; text < batch; text++) {
    let count = 0;
    for (let t = 0; t < time; t++) count += mask[text * time + t]!;
    for (let t = 0; t < time; t++) {
      const row = text * time + t;
      for (let i = 0; i < width; i++)
        means[text * width + i]! += (mask[row]! * rows[row * width + i]!) / count;
    }
  }
  return means;
}

async function prefixOutputs(
  testCase: GoldenCase,
  engine: Engine,
  model: Transformer,
  weights: unknown,
): Promise<GoldenOutputs> {
  const [ids, prefix] = [integers(testCase, 'in/ids'), floats(testCase, 'in/prefix')];
  const mask = testCase.has('in/mask') ? integers(testCase, 'in/mask') : full(ids.shape, 1, 'int32');
  const slots = prefix.shape[1]!;
  const forward = (
    parameters: TransformerParameters,
    tokens: tf.Tensor,
    seen: tf.Tensor,
    softPrefix: tf.Tensor,
    cotangent: { weights?: tf.Tensor },
  ) => {
    const state = model.initState(parameters, tokens.shape[0]!);
    const run = (embeddings: tf.Tensor) =>
      model.run(parameters, { tokens, mask: seen, softPrefix: embeddings }, state, { hidden: true });
    const { logits, hidden } = run(softPrefix);
    const outputs = { logits: logits!, final: hidden!.at(-1)! };
    if (!cotangent.weights) return outputs;
    const scaled = tf.mul(cotangent.weights, tf.expandDims(tf.cast(seen, 'float32'), 2));
    const loss = (embeddings: tf.Tensor) => {
      const all = run(embeddings).logits!;
      return tf.sum(tf.mul(tf.slice(all, [0, slots, 0]), scaled));
    };
    const { value, gradients } = valueAndGradient(loss, softPrefix);
    return { ...outputs, loss: value, gradient: gradients as unknown as tf.Tensor };
  };
  const cotangent = testCase.has('in/lossW') ? { weights: floats(testCase, 'in/lossW') } : {};
  const values = await runOnce(engine, forward, weights, ids, mask, prefix, cotangent);
  const counted = withSlots(mask.data, mask.shape[0]!, slots);
  return {
    'out/prefixLogits': () => masked(values.get('logits')!, counted),
    'out/prefixFinalHidden': () => masked(values.get('final')!, counted),
    ...(values.has('loss') && {
      'out/loss': () => values.get('loss')!,
      'grad/in.prefix': () => values.get('gradient')!,
    }),
  };
}

/** The mask with ones for the slots of a prefix before every text. */
function withSlots(mask: ArrayLike<number>, batch: number, slots: number): number[] {
  const time = mask.length / batch;
  return Array.from({ length: batch * (slots + time) }, (_, index) => {
    const t = (index % (slots + time)) - slots;
    return t < 0 ? 1 : mask[Math.floor(index / (slots + time)) * time + t]!;
  });
}

async function greedyOutputs(
  testCase: GoldenCase,
  engine: Engine,
  model: Transformer,
  weights: unknown,
): Promise<GoldenOutputs> {
  const outputs: Record<string, Int32Array | readonly number[]> = {};
  for (const name of ['out/greedy', 'out/greedyPrefix'].filter((output) => testCase.has(output))) {
    const prompt = integers(testCase, 'in/promptIds');
    const first = prompt.data.slice(0, prompt.shape.at(-1));
    const softPrefix = name === 'out/greedyPrefix' ? firstText(floats(testCase, 'in/prefix')) : undefined;
    const count = sizeOf(testCase.shape(name));
    outputs[name] = await continueGreedily(engine, model, weights as never, first, count, {
      softPrefix,
    });
  }
  return outputs;
}

function firstText({ data, shape }: NDArray<'float32'>) {
  const [, slots, width] = shape as [number, number, number];
  return { data: data.slice(0, slots * width), shape: [1, slots, width], dtype: 'float32' as const };
}
