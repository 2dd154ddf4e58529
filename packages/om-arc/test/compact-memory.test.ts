import { decodeSnapshot, encodeSnapshot, Session } from '@palimpsest/lm';
import { createEngine, type Engine, type NDArray, runOnce, tf, toOnnx } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createOmModel, OmLLM, type OmOptions } from '../src/index.js';
import type { OmParams } from '../src/parameters.js';
import { distance, lively, randomIds, small, variants } from './support/variants.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('cpu');
});
afterAll(() => engine.dispose());

const onHost: OmOptions = { ...small, dimsKey: [4, 8], dimsValue: [8, 4], dimHidden: 16 };
const models: Readonly<Record<string, OmOptions>> = {
  'on the processor': onHost,
  'on the processor, gated, no n-grams': { ...onHost, stateUpdate: 'gated', initNgrams: [] },
  ...Object.fromEntries(
    ['default', 'unstacked differential with positions', 'Hopfield', 'readme edition, Hopfield'].map(
      (name) => [name, { ...small, ...variants[name] }],
    ),
  ),
};

describe.each(Object.entries(models))('the compact memory, %s', (_name, options) => {
  const model = createOmModel(options);
  const params = lively((rng) => model.init(rng));
  const ids = Array.from(randomIds(1, 20, small.vocabSize).data);

  it.each([0, 1, 5, 8, 10])(
    'goes on after %i tokens as the whole one does, but for rounding',
    async (count) => {
      const session = await Session.create({ engine, model, params });
      await session.prefill(ids.slice(0, count));
      const whole = await session.snapshot();
      const compact = decodeSnapshot(encodeSnapshot(await session.snapshot({ compact: true })));
      const size = (state: object) =>
        Object.values(state).reduce((sum, leaf: NDArray) => sum + leaf.data.length, 0);
      expect(size(compact.state)).toBeLessThan(size(whole.state) / 2);
      expect(Object.keys(compact.state).sort()).not.toContain('keys.0.0.key');

      await session.restore(whole);
      await session.append(ids.slice(count));
      const expected = await session.logits();
      const other = await Session.create({ engine, model, params });
      await other.prefill([3, 1, 2]);
      await other.restore(compact);
      expect(other.position).toBe(count);
      await other.append(ids.slice(count));
      expect(distance(await other.logits(), expected)).toBeLessThan(2e-4);
      await other.dispose();
      await session.dispose();
    },
  );
});

it('is what it is only where keys follow from ids: positions of the reference keep ids anyway', async () => {
  const model = createOmModel({ ...small, cope: true, copeVariant: 'reference' });
  const session = await Session.create({ engine, model, params: lively((rng) => model.init(rng)) });
  await session.prefill([1, 2, 3]);
  const [compact, whole] = [await session.snapshot({ compact: true }), await session.snapshot()];
  expect(compact.compact).toBeUndefined();
  expect(Object.keys(compact.state)).toEqual(Object.keys(whole.state));
  await session.dispose();
});

describe('ingestion', () => {
  const options: OmOptions = { ...small, numLayers: 3 };
  const om = new OmLLM(options);
  const params = lively((rng) => om.init(rng));
  const ids = randomIds(2, 2 + 15, small.vocabSize);

  it('keeps the same states and the same last logits', async () => {
    const read = (nextToken: boolean) => (tree: OmParams, x: tf.Tensor) => {
      const { logits, states } = om.forward(tree, x, [], nextToken, { form: 'sequential' });
      return { last: tf.slice(logits, [0, logits.shape[1]! - 1, 0], [-1, 1, small.vocabSize]), states };
    };
    const [a, b] = (await Promise.all(
      [false, true].map((nextToken) => runOnce(engine, read(nextToken), params as never, ids as never)),
    )) as unknown as { last: NDArray; states: NDArray[] }[];
    expect(distance(a!.last.data, b!.last.data)).toBeLessThan(1e-4);
    a!.states.forEach((state, layer) => {
      expect(distance(state.data, b!.states[layer]!.data)).toBeLessThan(1e-4);
    });
  });

  it('needs neither the head nor, in the last layer, the output of tokens and the MLP', () => {
    const single = new OmLLM({ ...options, numLayers: 1 });
    const read = (tree: OmParams, x: tf.Tensor) =>
      single.forward(tree, x, [], false, { form: 'sequential', onlyLast: true }).states;
    const own = lively((rng) => single.init(rng));
    const { inputs } = toOnnx(read as never, [own, ids] as never, { name: 'ingestion' });
    const paths = inputs.map(({ path }) => path);
    expect(paths).toContain('layers.output.state');
    for (const unread of ['head.weight', 'layers.output.token', 'layers.mlp.plain.0.weight']) {
      expect(paths).not.toContain(unread);
    }
  });
});
