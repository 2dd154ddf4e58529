import { encodeSnapshot, Session } from '@palimpsest/lm';
import { createEngine, type Engine, type NDArray, Rng, treeLeaves } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { standardRegistry } from '../../src/index.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('onnx');
});
afterAll(() => engine.dispose());

const variants: readonly (readonly [name: string, options: Record<string, unknown>])[] = [
  ['linear-attention', { forgetting: 'spread' }],
  ['gru', {}],
  ['gru', { blocks: 'plain' }],
  ['lstm', {}],
  ['lstm', { blocks: 'plain' }],
  ['gated-linear-attention', {}],
  ['gated-linear-attention', { decay: 'fixed' }],
  ['gated-delta-net', {}],
  ['mamba-2', { stateSize: 4 }],
  ['rwkv-7', {}],
  ['no-memory', {}],
];

const architectureOf = (name: string) =>
  standardRegistry.architectures.find((architecture) => architecture.name === name)!;

describe.each(variants)('%s %o', (name, options) => {
  const small = { width: 16, ...options };
  const ids = (count: number, seed: number) => {
    const rng = Rng.fromSeed(seed);
    return Int32Array.from({ length: count }, () => rng.int(9));
  };

  it('a saved session goes on to the bit as the one that was not saved', async () => {
    const model = architectureOf(name).create(9, small);
    const params = model.init(Rng.fromSeed(1));
    const open = () => Session.create({ engine, model, params });
    const [first, second] = [await open(), await open()];
    await first.prefill(ids(70, 2));
    await second.restore(encodeSnapshot(await first.snapshot()));
    for (const session of [first, second]) await session.append(ids(5, 3));
    expect(await second.logits()).toEqual(await first.logits());
    expect((await second.snapshot()).state).toEqual((await first.snapshot()).state);
    for (const session of [first, second]) await session.dispose();
  });

  it('is made again from its configuration, and its first parameters from the seed', async () => {
    const { create, restore } = architectureOf(name);
    const model = create(9, small);
    const again = await restore(model.config);
    expect([again.name, again.config]).toEqual([name, model.config]);
    const leaves = (from: typeof model) => treeLeaves<NDArray>(from.init(Rng.fromSeed(3)));
    expect(leaves(again)).toEqual(leaves(model));
  });
});

it('options that do not exist or do not fit are refused in a sentence', () => {
  expect(() => architectureOf('gru').create(9, { heads: 3 })).toThrow(
    /The options of GRU are wrong: .*heads/,
  );
  expect(() => architectureOf('gated-delta-net').create(9, { width: 16, heads: 3 })).toThrow(
    'A width of 16 cannot be split over 3 heads; choose a divisor of 16.',
  );
  expect(() => architectureOf('mamba-2').create(9, {}, 'large')).toThrow('Mamba-2 has no preset');
});
