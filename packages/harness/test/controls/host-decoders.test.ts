import { createDecoder, StepDecoder, treeBytes } from '@palimpsest/lm';
import { createEngine, type Engine, type NDArray, Rng, treeZip } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { standardRegistry } from '../../src/index.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('onnx');
});
afterAll(() => engine.dispose());

const VOCABULARY = 21;
const ids = (count: number, seed = 5) => {
  const rng = Rng.fromSeed(seed);
  return Int32Array.from({ length: count }, () => rng.int(VOCABULARY));
};

function modelOf(name: string, options: object) {
  const one = standardRegistry.architectures.find((architecture) => architecture.name === name)!;
  const model = one.create(VOCABULARY, options);
  const params = model.init(Rng.fromSeed(3));
  return { model, params };
}

const apart = (a: Float32Array, b: Float32Array) => Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));
const largestGap = (a: unknown, b: unknown) => {
  let most = 0;
  treeZip<NDArray, void>([a, b], ([one, other]) => {
    one!.data.forEach((value, i) => {
      most = Math.max(most, Math.abs(value - other!.data[i]!));
    });
  });
  return most;
};

const cases: readonly (readonly [string, object])[] = [
  ['gru', { width: 16, blocks: 'plain' }],
  ['gru', { width: 12, layers: 3 }],
  ['lstm', { width: 16 }],
  ['lstm', { width: 16, blocks: 'plain' }],
  ['linear-attention', { width: 16, heads: 4 }],
  ['linear-attention', { width: 24, heads: 3, taps: 4, forgetting: 'none' }],
  ['linear-attention', { width: 16, heads: 2, taps: 1 }],
  ['no-memory', { width: 16, taps: 4 }],
];

describe('controls decoded on the processor', () => {
  it.each(cases)('%s %j: tokens, long texts and forks equal the step', async (name, options) => {
    const { model, params } = modelOf(name, options);
    const host = await createDecoder(engine, model, params);
    const step = await StepDecoder.create(engine, model, params);
    expect(model.decoder).toBeDefined();
    expect(host.stateBytes).toBe(step.stateBytes);
    for (const id of ids(9)) {
      expect(apart(await host.read([id]), await step.read([id]))).toBeLessThan(2e-5);
    }
    const fork = await host.fork();
    const text = ids(150, 7);
    const logits = await step.read(text);
    expect(apart(await host.read(text), logits)).toBeLessThan(5e-5);
    expect(largestGap(await host.state(), await step.state())).toBeLessThan(5e-5);
    // The fork saw none of the text, and then all of it, token by token.
    for (const id of text.subarray(0, -1)) await fork.read([id]);
    expect(apart(await fork.read(text.subarray(-1)), logits)).toBeLessThan(5e-5);
    expect(treeBytes(await fork.state())).toBe(fork.stateBytes);
    await host.reset();
    await step.reset();
    expect(apart(await host.read(ids(5, 8)), await step.read(ids(5, 8)))).toBeLessThan(2e-5);
    for (const decoder of [host, step, fork]) await decoder.dispose();
  });

  it('widths that no vector takes are left to the graph', () => {
    expect(modelOf('gru', { width: 18 }).model.decoder).toBeUndefined();
    expect(modelOf('linear-attention', { width: 24, heads: 4 }).model.decoder).toBeUndefined();
  });
});
