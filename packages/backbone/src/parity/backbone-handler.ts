import {
  type DeviceArray,
  type Engine,
  InputError,
  tf,
  treeLeaves,
  valueAndGradient,
} from '@palimpsest/tensor-core';
import { continueGreedily } from '../greedy.js';
import type { TransformerParameters } from '../parameters.js';
import { loadPretrained } from '../pretrained/load-pretrained.js';
import type { Transformer } from '../transformer.js';
import type { ParityCase, ParityHandler } from './contract.js';
import { GoldenCase } from './golden-case.js';

/** The checkpoint folder that a case names, relative to its own. */
export async function folderOf(testCase: ParityCase, name: unknown): Promise<string> {
  if (typeof name !== 'string')
    throw new InputError(`The case '${testCase.name}' names no checkpoint folder.`);
  const { resolve } = await import('node:path');
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
export const backboneHandler: ParityHandler = {
  system: 'backbone',
  kind: 'backbone',
  run: async (testCase, { engine: given }) => {
    const engine = given as Engine;
    const golden = new GoldenCase(testCase);
    const { model, params } = await loadPretrained(await folderOf(testCase, testCase.json.folder));
    const weights = engine.put(params);
    await compareForward(golden, engine, model, weights);
    if (golden.has('in/prefix')) await comparePrefix(golden, engine, model, weights);
    await compareGreedy(golden, engine, model, weights);
    for (const { leaf } of treeLeaves<DeviceArray>(weights)) leaf.dispose();
    return golden.finish();
  },
};

async function compareForward(golden: GoldenCase, engine: Engine, model: Transformer, weights: unknown) {
  const mask = golden.integers('in/mask');
  const forward = (parameters: TransformerParameters, tokens: tf.Tensor, seen: tf.Tensor) => {
    const state = model.initState(parameters, tokens.shape[0]!);
    const masked = model.run(parameters, { tokens, mask: seen }, state, { hidden: true });
    const plain = model.run(parameters, { tokens }, state);
    return { logits: masked.logits!, hidden: masked.hidden!, plain: plain.logits! };
  };
  const values = await runOnce(engine, forward, weights, golden.integers('in/ids'), mask);
  const { layers, modelWidth } = model.options;
  for (let layer = 0; layer <= layers; layer++) {
    golden.compare(`out/hidden${layer}`, values.get(`hidden.${layer}`)!, mask.data);
  }
  const final = values.get(`hidden.${layers}`)!;
  golden.compare('out/finalHidden', final, mask.data);
  golden.compare('out/logits', values.get('logits')!, mask.data);
  golden.compare('out/logitsNoMask', values.get('plain')!);
  golden.compare('out/pooled', maskedMean(final, mask.data, mask.shape[0]!, modelWidth));
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

async function comparePrefix(golden: GoldenCase, engine: Engine, model: Transformer, weights: unknown) {
  const [mask, prefix] = [golden.integers('in/mask'), golden.floats('in/prefix')];
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
  const cotangent = golden.has('in/lossW') ? { weights: golden.floats('in/lossW') } : {};
  const values = await runOnce(engine, forward, weights, golden.integers('in/ids'), mask, prefix, cotangent);
  const counted = withSlots(mask.data, mask.shape[0]!, slots);
  golden.compare('out/prefixLogits', values.get('logits')!, counted);
  golden.compare('out/prefixFinalHidden', values.get('final')!, counted);
  if (!values.has('loss')) return;
  golden.compare('out/loss', values.get('loss')!);
  golden.compare('grad/in.prefix', values.get('gradient')!);
}

/** The mask with ones for the slots of a prefix before every text. */
function withSlots(mask: ArrayLike<number>, batch: number, slots: number): number[] {
  const time = mask.length / batch;
  return Array.from({ length: batch * (slots + time) }, (_, index) => {
    const t = (index % (slots + time)) - slots;
    return t < 0 ? 1 : mask[Math.floor(index / (slots + time)) * time + t]!;
  });
}

async function compareGreedy(golden: GoldenCase, engine: Engine, model: Transformer, weights: unknown) {
  for (const name of ['out/greedy', 'out/greedyPrefix']) {
    if (!golden.has(name)) continue;
    const expected = golden.integers(name).data;
    const prompt = golden.integers('in/promptIds');
    const first = prompt.data.slice(0, prompt.shape.at(-1));
    const softPrefix = name === 'out/greedyPrefix' ? firstText(golden.floats('in/prefix')) : undefined;
    const ids = await continueGreedily(engine, model, weights as never, first, expected.length, {
      ...(softPrefix && { softPrefix }),
    });
    golden.equal(name, ids, expected);
  }
}

function firstText({ data, shape }: ReturnType<GoldenCase['floats']>) {
  const [, slots, width] = shape as [number, number, number];
  return { data: data.slice(0, slots * width), shape: [1, slots, width], dtype: 'float32' as const };
}
