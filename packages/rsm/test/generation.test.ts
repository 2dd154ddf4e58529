import { createEngine, type Engine, type NDArray, ndarray, Rng, tf, treeMap } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createRsmModel,
  generateWithDocument,
  generateWithRsm,
  type RsmOptions,
  type RsmText,
  streamWithRsm,
} from '../src/index.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('auto');
});
afterAll(() => engine.dispose());

const small = {
  vocabSize: 13,
  hiddenSize: 16,
  numLayers: 2,
  numHeads: 2,
  numMemorySlots: 4,
  windowSize: 8,
  dropout: 0,
};

/** A model whose weights are of order one: with fresh ones the memory is hardly heard. */
function text(options: Partial<RsmOptions>): RsmText {
  const model = createRsmModel({ ...small, ...options } as RsmOptions);
  const weights = Rng.fromSeed(2);
  const params = treeMap<NDArray, NDArray>(model.init(Rng.fromSeed(1)), ({ shape }) =>
    weights.normalArray(shape, 0, shape.length > 1 ? 0.5 : 1),
  );
  return { engine, model, params };
}

const rng = Rng.fromSeed(6);
const prompt = Int32Array.from({ length: 50 }, () => rng.int(13));
const other = Int32Array.from(prompt, (id, index) => (index < 36 ? (id + 5) % 13 : id));

describe.each(['parallel', 'causal'] as const)('cached generation, %s', (preset) => {
  it('greedily takes what the whole text, read at once, finds likeliest', async () => {
    const source = text({ preset });
    const ids = await generateWithRsm(source, prompt, { temperature: 0, maxNewTokens: 12 });
    expect([...ids.subarray(0, 50)]).toEqual([...prompt]);
    const forward = engine.compile((params: never, tokens: tf.Tensor2D) => {
      const { logits } = source.model.forward(params, tokens, source.model.initState(params, 1), {
        training: false,
      });
      return tf.argMax(logits, -1);
    });
    const likeliest = await forward(source.params as never, ndarray(ids, [1, ids.length], 'int32') as never);
    const expected = (await likeliest.data()).subarray(49, 61);
    expect([...ids.subarray(50)]).toEqual([...expected]);
    await forward.dispose();
  });

  it('is reproducible by its seed, and the whole prompt counts', async () => {
    const source = text({ preset });
    const write = (seed: number, from = prompt) => generateWithRsm(source, from, { seed, maxNewTokens: 20 });
    expect(await write(1)).toEqual(await write(1));
    expect(await write(1)).not.toEqual(await write(2));
    const ends = async (from: typeof prompt) => [...(await write(1, from)).subarray(50)];
    expect(await ends(prompt)).not.toEqual(await ends(other));
  });

  it('a document before the prompt reads as one text with it', async () => {
    const source = text({ preset });
    const options = { seed: 4, maxNewTokens: 10 };
    const whole = await generateWithRsm(source, prompt, options);
    const parts = await generateWithDocument(source, prompt.subarray(0, 30), prompt.subarray(30), {
      ...options,
      stops: { maxRepeats: 0 },
    });
    expect([...parts]).toEqual([...whole.subarray(30)]);
  });
});

describe('the parity generator', () => {
  const source = () => text({ preset: 'parity', useGlobalSync: false });

  it('forgets all but the last window of its prompt', async () => {
    const write = (from: Int32Array) => generateWithRsm(source(), from, { temperature: 0, maxNewTokens: 6 });
    expect([...(await write(other)).subarray(50)]).toEqual([...(await write(prompt)).subarray(50)]);
  });

  it('has a document in its memory', async () => {
    const write = async (document: Int32Array) => {
      const ids = await generateWithDocument(source(), document, [1, 2], { seed: 3, maxNewTokens: 30 });
      return [...ids];
    };
    expect(await write(prompt)).toEqual(await write(prompt));
    expect(await write(prompt)).not.toEqual(await write(other.subarray(0, 20)));
  });

  it('cannot be cached, and says so', async () => {
    await expect(generateWithRsm(source(), prompt, { generator: 'cached' })).rejects.toThrow(
      "use the generator 'recompute'",
    );
  });
});

describe('options of generation', () => {
  it('ends after the end token, which in a prompt ends nothing', async () => {
    const source = text({ preset: 'parallel' });
    const free = await generateWithRsm(source, prompt, { seed: 1, maxNewTokens: 30 });
    const eosTokenId = free[54]!;
    const first = free.subarray(50).indexOf(eosTokenId);
    const ended = await generateWithRsm(source, prompt, { seed: 1, maxNewTokens: 30, eosTokenId });
    expect(prompt.includes(eosTokenId)).toBe(true);
    expect([...ended]).toEqual([...free.subarray(0, 50 + first + 1)]);
  });

  it('streams the same ids, and stops when told to', async () => {
    const source = text({ preset: 'parallel' });
    const stop = new AbortController();
    const ids: number[] = [];
    for await (const id of streamWithRsm(source, prompt, { seed: 1, signal: stop.signal })) {
      ids.push(id);
      if (ids.length === 5) stop.abort();
    }
    const whole = await generateWithRsm(source, prompt, { seed: 1, maxNewTokens: 5 });
    expect(ids).toEqual([...whole.subarray(50)]);
    expect([...(await generateWithRsm(source, prompt, { maxNewTokens: 0 }))]).toEqual([...prompt]);
  });

  it('a document ends by its stop rules', async () => {
    const source = text({ preset: 'parallel' });
    const free = await generateWithRsm(source, prompt, { seed: 1, maxNewTokens: 40 });
    const newlineIds = [free[50 + 24]!];
    const stops = { maxRepeats: 0, newlineIds };
    const ended = await generateWithDocument(source, [], prompt, { seed: 1, maxNewTokens: 40, stops });
    const at = free.subarray(50).findIndex((id, index) => index >= 20 && id === newlineIds[0]);
    expect(ended.length).toBe(50 + at + 1);
  });

  it.each([
    [[], {}, 'The prompt is empty'],
    [[1, 99], {}, 'Token 1 of the prompt is 99'],
    [[1], { temperature: -0.5 }, 'The temperature is 0'],
    [[1], { topK: 14 }, 'topK is a whole number from 1 to the vocabulary size 13'],
    [[1], { topP: -1 }, 'topP is a probability'],
  ])('%j with %j is refused', async (ids, options, message) => {
    await expect(generateWithRsm(text({ preset: 'parallel' }), ids, options)).rejects.toThrow(message);
  });
});
