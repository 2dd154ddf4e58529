import { createEngine, type Engine, type NDArray, tf } from '@palimpsest/tensor-core';
import { afterAll, describe, expect, it } from 'vitest';
import type { RsmParams } from '../src/parameters.js';
import type { RsmModel } from '../src/sequence-model.js';
import type { RsmState } from '../src/state.js';
import { columns, difference, lively, randomTokens, smallModel, toHost, wirings } from './support/models.js';

const engines = await Promise.all((['cpu', 'onnx'] as const).map((name) => createEngine(name)));
afterAll(async () => {
  for (const engine of engines) await engine.dispose();
});

type Read = (tokens: NDArray, state: unknown) => Promise<{ logits: NDArray; state: unknown }>;

/** Reads tokens by `forward`, or by `step` when there is one. */
function reader(engine: Engine, model: RsmModel, params: RsmParams<NDArray>): Read {
  const run = engine.compile((weights: RsmParams, tokens: tf.Tensor2D, state: RsmState) => {
    if (tokens.shape[1] === 1) {
      const { logits, state: next } = model.step(weights, tf.reshape(tokens, [-1]) as tf.Tensor1D, state);
      return { logits: logits as tf.Tensor, state: next };
    }
    const { logits, state: next } = model.forward(weights, tokens, state, { training: false });
    return { logits: logits as tf.Tensor, state: next };
  });
  return async (tokens, state) =>
    (await toHost(await run(params as never, tokens as never, state as never))) as never;
}

async function firstState(engine: Engine, model: RsmModel, params: RsmParams<NDArray>, batch: number) {
  const init = engine.compile((weights: RsmParams) => model.initState(weights, batch));
  return toHost(await init(params as never));
}

/** Logits of a text that is read in pieces, row-major over [batch, time, vocabulary]. */
async function stream(
  read: Read,
  tokens: NDArray,
  first: unknown,
  sizes: readonly number[],
  vocabSize: number,
) {
  const [batch, time] = tokens.shape as [number, number];
  const data = new Float32Array(batch * time * vocabSize);
  let [from, state] = [0, first];
  for (const size of sizes) {
    const result = await read(columns(tokens, from, size), state);
    for (let row = 0; row < batch; row++) {
      const width = size * vocabSize;
      data.set(
        (result.logits.data as Float32Array).subarray(row * width, (row + 1) * width),
        (row * time + from) * vocabSize,
      );
    }
    from += size;
    state = result.state;
  }
  return { logits: { data, shape: [batch, time, vocabSize], dtype: 'float32' } as NDArray, state };
}

const ones = (count: number) => new Array<number>(count).fill(1);

const cases = engines.flatMap((engine) =>
  Object.entries(wirings)
    // Graphs of every piece are slow to make; one of every kind of pool and a sync.
    .filter(
      ([wiring]) =>
        engine.name === 'cpu' || ['parallel', 'shared memory', 'sync', 'rotary positions'].includes(wiring),
    )
    .map(([wiring, options]) => [engine.name, wiring, engine, options] as const),
);

describe('a state may be left anywhere', () => {
  it.each(cases)(
    'on %s, %s: tokens one by one, in any pieces and in whole chunks give the same',
    async (_name, _wiring, engine, options) => {
      const model = smallModel(options);
      const params = lively(model);
      const tokens = randomTokens(2, 23, model.vocabSize);
      const read = reader(engine, model, params);
      const first = await firstState(engine, model, params, 2);
      const steps = await stream(read, tokens, first, ones(23), model.vocabSize);
      for (const sizes of [[23], [2, 5, 10, 1, 5], [7, 16]]) {
        const pieces = await stream(read, tokens, first, sizes, model.vocabSize);
        expect(difference(pieces.logits, steps.logits)).toBeLessThan(2e-5);
        const { memory } = pieces.state as { memory: NDArray };
        expect(difference(memory, (steps.state as { memory: NDArray }).memory)).toBeLessThan(2e-5);
      }
      // What training sees of whole chunks.
      const train = engine.compile((weights: RsmParams, ids: tf.Tensor2D, state: RsmState) => {
        const { logits, state: next } = model.forward(weights, ids, state, { training: true });
        return { logits: logits as tf.Tensor, memory: next.memory };
      });
      const result = (await toHost(
        await train(params as never, columns(tokens, 0, 20) as never, first as never),
      )) as { logits: NDArray; memory: NDArray };
      const twenty = await stream(read, columns(tokens, 0, 20), first, ones(20), model.vocabSize);
      expect(difference(result.logits, twenty.logits)).toBeLessThan(2e-5);
      expect(difference(result.memory, (twenty.state as { memory: NDArray }).memory)).toBeLessThan(2e-5);
    },
  );
});
