import { MASKED, type NDArray, ndarray, Rng, tf } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import {
  compact,
  evict,
  type LayerCache,
  paddedPositions,
  positionsOf,
  type TransformerParameters,
  type TransformerState,
  validity,
} from '../src/index.js';
import {
  asTensor,
  engines,
  forwardLogits,
  livelyModel,
  maxDifference,
  randomTokens,
  read,
  withEngine,
} from './helpers.js';

type Layer = LayerCache & { positions: tf.Tensor };
const row = (values: ArrayLike<number>, index: number, width: number) =>
  Float32Array.from(values).slice(index * width, (index + 1) * width);

describe.each(engines)('on %s', (name) => {
  const variants = [
    {},
    { positions: 'learned' as const },
    { positions: 'sinusoidal' as const },
    { window: 4, sinks: 2, keyValueHeads: 2 },
  ];
  it.each(variants)(
    'a text behind left padding is read and continued as if it stood alone: %j',
    async (options) => {
      await withEngine(name, async (engine) => {
        const { model, params } = livelyModel(options);
        const [padding, time, width] = [3, 7, model.vocabSize];
        const texts = randomTokens(2, time + 2);
        const alone = await forwardLogits(engine, model, params, texts);
        // The second text begins three columns later; what fills the gap must not matter.
        const padded = ndarray(
          Int32Array.from([...randomTokens(1, padding, 5).data, ...texts.data.slice(time + 2, 2 * time + 2)]),
          [1, padding + time],
          'int32',
        );
        const mask = ndarray(
          Int32Array.from({ length: padding + time }, (_, i) => (i < padding ? 0 : 1)),
          [1, padding + time],
          'int32',
        );
        const prefill = engine.compile(
          (weights: TransformerParameters, tokens: tf.Tensor, seen: tf.Tensor) => {
            const state = model.initState(weights, 1);
            return model.run(weights, { tokens, mask: seen, positions: paddedPositions(seen) }, state);
          },
        );
        const { logits, state } = await prefill(params as never, padded, mask);
        const values = (await logits!.data()) as Float32Array;
        const own = row(alone, 1, (time + 2) * width);
        expect(maxDifference(values.slice(padding * width), own.slice(0, time * width))).toBeLessThan(3e-5);
        const step = engine.compile(model.step);
        let current: unknown = state;
        for (const t of [time, time + 1]) {
          const id = ndarray(Int32Array.of(texts.data[time + 2 + t]!), [1], 'int32');
          const result = await step(params as never, id, current as never);
          expect(maxDifference(await result.logits.data(), row(own, t, width))).toBeLessThan(3e-5);
          current = result.state;
        }
      });
    },
  );

  it('a soft prefix is what its embeddings are as tokens, and chunks of embeddings continue it', async () => {
    await withEngine(name, async (engine) => {
      const { model, params } = livelyModel({ positions: 'learned' });
      const tokens = randomTokens(2, 8);
      const whole = await forwardLogits(engine, model, params, tokens);
      const run = engine.compile((weights: TransformerParameters, ids: tf.Tensor) => {
        const embedded = tf.gather(weights.tokenEmbedding, ids);
        const part = (from: number, count: number) => tf.slice(embedded, [0, from, 0], [2, count, 16]);
        const start = model.initState(weights, 2);
        const input = { softPrefix: part(0, 3), tokens: tf.slice(ids, [0, 3], [2, 2]) };
        const first = model.run(weights, input, start);
        const second = model.run(weights, { inputsEmbeds: part(5, 3) }, first.state, {
          logits: 'last',
          hidden: true,
        });
        const plain = model.run(weights, { inputsEmbeds: part(5, 3) }, first.state, { logits: 'last' });
        return {
          first: first.logits!,
          second: second.logits!,
          plain: plain.logits!,
          hidden: second.hidden![2]!,
        };
      });
      const values = await read(await run(params as never, tokens));
      const width = model.vocabSize;
      for (const text of [0, 1]) {
        const all = row(whole, text, 8 * width);
        expect(maxDifference(row(values.first!, text, 5 * width), all.slice(0, 5 * width))).toBeLessThan(
          2e-5,
        );
        expect(maxDifference(row(values.second!, text, width), all.slice(7 * width))).toBeLessThan(2e-5);
      }
      expect(values.second!.length).toBe(2 * width);
      expect(maxDifference(values.plain!, values.second!)).toBeLessThan(1e-6);
      expect(values.hidden!.length).toBe(2 * 3 * 16);
    });
  });

  it('keys and values of a prefix are seen by all, without taking positions or slots', async () => {
    await withEngine(name, async (engine) => {
      const { model, params } = livelyModel({ keyValueHeads: 2 });
      const tokens = randomTokens(2, 6);
      // The cache of the first two tokens, given as a prefix with the positions moved on, is the cache itself.
      const run = engine.compile((weights: TransformerParameters, ids: tf.Tensor) => {
        const head = tf.slice(ids, [0, 0], [2, 2]);
        const rest = tf.slice(ids, [0, 2], [2, 4]);
        const { state } = model.run(weights, { tokens: head }, model.initState(weights, 2));
        const newest = (x: tf.Tensor) => tf.slice(x, [0, 0, model.slots - 2, 0], [2, 2, 2, 4]);
        const layerPrefix = state.layers.map(({ keys, values }) => ({
          keys: newest(keys),
          values: newest(values),
        }));
        const positions = tf.broadcastTo(tf.tensor2d([[2, 3, 4, 5]], [1, 4], 'int32'), [2, 4]);
        const empty = model.initState(weights, 2);
        const prefixed = model.run(weights, { tokens: rest, layerPrefix, positions }, empty, {
          observedQueries: 2,
        });
        const moved = model.run(weights, { tokens: rest, layerPrefix }, empty);
        return {
          prefixed: prefixed.logits!,
          cached: model.run(weights, { tokens: rest }, state).logits!,
          moved: moved.logits!,
          attention: prefixed.attention!,
          position: prefixed.state.position,
          fill: tf.sum(tf.cast(validity(prefixed.state, 0), 'int32')),
        };
      });
      const values = await read(await run(params as never, tokens));
      expect(maxDifference(values.prefixed!, values.cached!)).toBeLessThan(2e-5);
      expect(maxDifference(values.moved!, values.cached!)).toBeGreaterThan(1e-3);
      expect([...values.position!]).toEqual([6, 6]);
      expect(values.fill![0]).toBe(2 * 4);
      expect(values['attention.0']!.length).toBe(2 * 4 * 2 * 6);
    });
  });

  it('a bias of slots weakens entries for whoever attends, down to hiding them, and has a gradient', async () => {
    await withEngine(name, async (engine) => {
      const { model, params } = livelyModel({ keyValueHeads: 2, capacity: 8, evictable: true });
      const tokens = randomTokens(2, 7);
      const hides = Float32Array.from({ length: 2 * 2 * 8 }, (_, i) => ((i * 7) % 3 === 0 ? MASKED : 0));
      const run = engine.compile((weights: TransformerParameters, ids: tf.Tensor, hidden: tf.Tensor) => {
        const part = (from: number, count: number) => tf.slice(ids, [0, from], [2, count]);
        const { state } = model.run(weights, { tokens: part(0, 5) }, model.initState(weights, 2));
        const keep = tf.equal(hidden, 0);
        const evicted = {
          ...state,
          layers: state.layers.map((cache) => evict({ ...cache, positions: cache.positions! }, keep)),
        };
        const logits = (count: number, from: typeof state, bias?: tf.Tensor) => {
          const slotBias = bias && state.layers.map(() => bias);
          return model.run(weights, { tokens: part(5, count), ...(slotBias && { slotBias }) }, from).logits!;
        };
        const loss = (bias: tf.Tensor) => tf.sum(tf.square(logits(2, state, bias)));
        const soft = tf.mul(hidden, 1 / MASKED);
        const one = tf.oneHot(tf.tensor1d([6], 'int32'), 8);
        const nudge = (by: number) => tf.add(soft, tf.mul(tf.reshape(one, [1, 1, 8]), by));
        return {
          several: logits(2, state, hidden),
          severalEvicted: logits(2, evicted),
          single: logits(1, state, hidden),
          singleEvicted: logits(1, evicted),
          unbiased: logits(2, state),
          gradient: tf.grad(loss)(soft),
          numeric: tf.div(tf.sub(loss(nudge(0.05)), loss(nudge(-0.05))), 0.1),
        };
      });
      const bias = ndarray(hides, [2, 2, 8]);
      const values = await read(await run(params as never, tokens, bias as never));
      expect(maxDifference(values.several!, values.severalEvicted!)).toBeLessThan(1e-5);
      expect(maxDifference(values.single!, values.singleEvicted!)).toBeLessThan(1e-5);
      expect(maxDifference(values.several!, values.unbiased!)).toBeGreaterThan(1e-3);
      const along = [0, 1, 2, 3].reduce((sum, list) => sum + values.gradient![list * 8 + 6]!, 0);
      expect(Math.abs(along - values.numeric![0]!)).toBeLessThan(2e-2 * Math.max(1, Math.abs(along)));
      expect(Math.abs(along)).toBeGreaterThan(1e-3);
    });
  });

  it('gives attention probabilities whose columns are the newest slots', async () => {
    await withEngine(name, async (engine) => {
      const { model, params } = livelyModel({ keyValueHeads: 2, layers: 1, capacity: 9 });
      const tokens = randomTokens(1, 8);
      const run = engine.compile((weights: TransformerParameters, ids: tf.Tensor) => {
        const start = model.initState(weights, 1);
        const all = model.run(weights, { tokens: ids }, start, { observedQueries: 99 }).attention![0]!;
        const before = model.run(weights, { tokens: tf.slice(ids, [0, 0], [1, 5]) }, start).state;
        const last = model.run(weights, { tokens: tf.slice(ids, [0, 5], [1, 3]) }, before, {
          observedQueries: 2,
        });
        return { all, last: last.attention![0]! };
      });
      const { all, last } = await read(await run(params as never, tokens));
      expect(all!.length).toBe(4 * 8 * 8);
      // 8 cached columns and 3 new ones; only the newest 8 can hold entries.
      expect(last!.length).toBe(4 * 2 * 11);
      for (let head = 0; head < 4; head++) {
        for (let query = 0; query < 2; query++) {
          const expected = row(all!, head * 8 + 6 + query, 8);
          expect(maxDifference(row(last!, head * 2 + query, 11).slice(3), expected)).toBeLessThan(1e-5);
          expect(expected.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
        }
      }
    });
  });

  it('an evicted entry is as if it had been masked, per layer and head, and positions survive', async () => {
    await withEngine(name, async (engine) => {
      const { model, params } = livelyModel({ evictable: true, keyValueHeads: 2, capacity: 9 });
      const tokens = randomTokens(2, 9);
      const rng = Rng.fromSeed(4);
      const keep: NDArray[] = [0, 1].map(() =>
        ndarray(
          Int32Array.from({ length: 2 * 2 * 9 }, (_, i) => (i % 9 < 3 ? 0 : rng.int(3) === 0 ? 0 : 1)),
          [2, 2, 9],
          'int32',
        ),
      );
      const run = engine.compile(
        (weights: TransformerParameters, ids: tf.Tensor, masks: readonly tf.Tensor[]) => {
          const prefill = model.run(
            weights,
            { tokens: tf.slice(ids, [0, 0], [2, 6]) },
            model.initState(weights, 2),
          );
          const change = (edit: (layer: Layer, index: number) => LayerCache): TransformerState => ({
            ...prefill.state,
            layers: prefill.state.layers.map((layer, index) => edit(layer as Layer, index)),
          });
          const evicted = change((layer, index) => evict(layer, masks[index]!));
          const compacted = change((layer, index) => compact(evict(layer, masks[index]!) as Layer));
          const rest = tf.slice(ids, [0, 6], [2, 3]);
          const attended = model.run(weights, { tokens: rest }, evicted, { observedQueries: 3 });
          return {
            evicted: model.run(weights, { tokens: rest }, evicted).logits!,
            compacted: model.run(weights, { tokens: rest }, compacted).logits!,
            full: model.run(weights, { tokens: rest }, prefill.state).logits!,
            positions: compacted.layers.map((layer) => layer.positions!),
            original: evicted.layers.map((_, layer) => positionsOf(evicted, layer)),
            attention: attended.attention!,
            after: attended.state.layers.map((_, layer) => positionsOf(attended.state, layer)),
          };
        },
      );
      const values = await read(await run(params as never, tokens, keep as never));
      expect(maxDifference(values.evicted!, values.compacted!)).toBeLessThan(1e-5);
      expect(maxDifference(values.evicted!, values.full!)).toBeGreaterThan(1e-3);
      for (const layer of [0, 1]) {
        for (let head = 0; head < 4; head++) {
          const left = [...row(values[`original.${layer}`]!, head, 9)].filter((position) => position >= 0);
          const moved = [...row(values[`positions.${layer}`]!, head, 9)];
          expect(moved.slice(9 - left.length)).toEqual(left);
          expect(moved.slice(0, 9 - left.length).every((position) => position === -1)).toBe(true);
        }
        const attention = values[`attention.${layer}`]!;
        for (let query = 0; query < 2 * 4 * 3; query++) {
          const [text, head] = [Math.floor(query / 12), Math.floor((query % 12) / 3)];
          const positions = row(values[`after.${layer}`]!, text * 2 + Math.floor(head / 2), 9);
          // The last columns are the slots after the call; the three new tokens have the last of them.
          const weights = row(attention, query, 11).slice(2);
          const own = 6 + (query % 3);
          expect([...positions].slice(6)).toEqual([6, 7, 8]);
          positions.forEach((position, slot) => {
            if (position < 0 || position > own) expect(weights[slot]).toBe(0);
            else expect(weights[slot]).toBeGreaterThan(0);
          });
        }
      }
    });
  });

  it('a single token takes an empty slot before that of the oldest entry, per layer and head', async () => {
    await withEngine(name, async (engine) => {
      const { model, params } = livelyModel({ evictable: true, keyValueHeads: 2, capacity: 5 });
      const tokens = randomTokens(1, 5);
      // The first head of every layer loses entry 2, the second one entries 0 and 3.
      const keep = ndarray(Int32Array.of(1, 1, 0, 1, 1, 0, 1, 1, 0, 1), [1, 2, 5], 'int32');
      const prepare = engine.compile((weights: TransformerParameters, ids: tf.Tensor, mask: tf.Tensor) => {
        const { state } = model.run(weights, { tokens: ids }, model.initState(weights, 1));
        return { ...state, layers: state.layers.map((layer) => evict(layer as Layer, mask)) };
      });
      const step = engine.compile(model.step);
      let state: unknown = await prepare(params as never, tokens, keep);
      const seen: number[][] = [];
      for (const id of [3, 4, 5]) {
        const token = ndarray(Int32Array.of(id), [1], 'int32');
        ({ state } = await step(params as never, token, state as never));
        const { layers } = state as TransformerState<{ data(): Promise<ArrayLike<number>> }>;
        const positions = await Promise.all(layers.map((layer) => layer.positions!.data()));
        expect([...Array.from(positions[1]!)]).toEqual([...Array.from(positions[0]!)]);
        seen.push(Array.from(positions[0]!));
      }
      expect(seen).toEqual([
        [0, 1, 5, 3, 4, 5, 1, 2, -1, 4],
        [6, 1, 5, 3, 4, 5, 1, 2, 6, 4],
        [6, 7, 5, 3, 4, 5, 7, 2, 6, 4],
      ]);
    });
  });
});

it('refuses inputs whose shapes do not fit, in one sentence', async () => {
  await withEngine('cpu', async (engine) => {
    const { model, params } = livelyModel({ positions: 'learned' });
    const run = (input: (tokens: tf.Tensor) => object, batch = 1) =>
      engine.compile(
        (weights: TransformerParameters, ids: tf.Tensor) =>
          model.run(weights, input(ids), model.initState(weights, batch)).logits!,
      )(params as never, randomTokens(1, 13));
    await expect(run((tokens) => ({ tokens }))).rejects.toThrow(
      '13 rows do not fit into the 12 learned positions',
    );
    await expect(run(() => ({}))).rejects.toThrow("either 'tokens' or 'inputsEmbeds'");
    await expect(
      run((tokens) => ({ tokens: tf.slice(tokens, [0, 0], [1, 4]), mask: tf.ones([1, 5]) })),
    ).rejects.toThrow("'mask' needs the shape [1, 4], but [1, 5] was given");
    await expect(run(() => ({ inputsEmbeds: tf.zeros([1, 4, 15]) }))).rejects.toThrow(
      "'inputsEmbeds' needs the shape",
    );
    const four = (tokens: tf.Tensor) => tf.slice(tokens, [0, 0], [1, 4]);
    await expect(run((tokens) => ({ tokens: four(tokens), layerPrefix: [] }))).rejects.toThrow(
      'one entry per layer, 2',
    );
    await expect(run((tokens) => ({ tokens: four(tokens), slotBias: [] }))).rejects.toThrow(
      "'slotBias' needs one entry per layer, 2",
    );
    const two = [tf.zeros([1, 4, 3]), tf.zeros([1, 4, 3])];
    await expect(run((tokens) => ({ tokens: four(tokens), slotBias: two }))).rejects.toThrow(
      "'slotBias' of layer 0 needs the shape",
    );
  });
});

it('a state of another batch is refused', async () => {
  await withEngine('cpu', async (engine) => {
    const { model, params } = livelyModel();
    const start = engine.compile(
      (weights: TransformerParameters) =>
        model.step(weights, tf.zeros([3], 'int32') as tf.Tensor1D, model.initState(weights, 3)).state,
    );
    const state = await start(params as never);
    const step = engine.compile(model.step);
    await expect(
      step(params as never, asTensor(ndarray(Int32Array.of(1), [1], 'int32')) as never, state as never),
    ).rejects.toThrow('The state holds 3 texts, but 1 were given');
  });
});
