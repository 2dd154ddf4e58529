import { createEngine } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { OsamGenerator } from '../src/index.js';
import { randomModel, randomTokens, runPieces, stateDifference } from './support/models.js';

const small = { vocabSize: 9, dModel: 8, sketchDim: 20, readoutHidden: 6, chunk: 5 };

describe('generation', async () => {
  const engine = await createEngine('cpu');
  const make = (options = {}) => {
    const { model, params } = randomModel({ ...small, ...options });
    return { model, params, generator: new OsamGenerator(engine, model, params) };
  };
  const collect = async (tokens: AsyncIterable<{ id: number }>) => {
    const ids: number[] = [];
    for await (const { id } of tokens) ids.push(id);
    return ids;
  };

  it('under exact priming equals running the whole text at every step, holding included', async () => {
    for (const kUpdate of [1, 3]) {
      const { model, params, generator } = make({ kUpdate });
      const prompt = [...randomTokens(1, 5, 9).data];
      const ids = await collect(generator.generate(prompt, { greedy: true, maxNewTokens: 9 }));
      const text = [...prompt];
      for (const id of ids) {
        const { logits } = await runPieces(
          engine,
          model,
          params,
          { data: Int32Array.from(text), shape: [1, text.length], dtype: 'int32' },
          [text.length],
        );
        const row = logits.subarray((text.length - 1) * 9);
        expect(row.indexOf(Math.max(...row))).toBe(id);
        text.push(id);
      }
    }
  });

  it('repeats itself for a seed, and differs for another', async () => {
    const { generator } = make();
    const run = (seed: number) =>
      collect(generator.generate([1, 2], { seed, maxNewTokens: 20, temperature: 2 }));
    expect(await run(1)).toEqual(await run(1));
    expect(await run(1)).not.toEqual(await run(2));
  });

  it('starts from nothing, stops at a sequence, and stops when told', async () => {
    const { generator } = make();
    const free = await collect(generator.generate([], { greedy: true, maxNewTokens: 12, startId: 3 }));
    expect(free.length).toBe(12);
    const stop = free.slice(2, 4);
    const first = free.findIndex((_, i) => i > 0 && free[i - 1] === stop[0] && free[i] === stop[1]);
    const stopped = await collect(
      generator.generate([], { greedy: true, maxNewTokens: 12, startId: 3, stop: [stop] }),
    );
    expect(stopped).toEqual(free.slice(0, first + 1));
    const abort = new AbortController();
    const ids: number[] = [];
    for await (const { id } of generator.generate([1], { maxNewTokens: 50, signal: abort.signal })) {
      ids.push(id);
      if (ids.length === 4) abort.abort();
    }
    expect(ids.length).toBe(4);
    await expect(collect(generator.generate([1, 9]))).rejects.toThrow('Prompt token 1 is 9');
    expect(engine.memory().arrays).toBe(0);
  });

  it('continues a primed text: a state kept from the first half gives the tokens of the whole', async () => {
    const { generator } = make();
    const prompt = [...randomTokens(1, 8, 9).data];
    const { state } = await generator.prime(prompt.slice(0, 5));
    const rest = await collect(generator.generate(prompt.slice(5), { state, greedy: true, maxNewTokens: 6 }));
    expect(rest).toEqual(await collect(generator.generate(prompt, { greedy: true, maxNewTokens: 6 })));
    const again = await generator.prime(prompt.slice(0, 5));
    expect(stateDifference(again.state, state)).toBe(0);
  });

  it('takes the same time per token after 4096 tokens as after 128', async () => {
    const { generator } = make({ dModel: 16, sketchDim: 64 });
    const decode = async (context: number) => {
      const prompt = [...randomTokens(1, context, 9).data];
      const times: number[] = [];
      let last = performance.now();
      for await (const _ of generator.generate(prompt, { greedy: true, maxNewTokens: 60 })) {
        times.push(performance.now() - last);
        last = performance.now();
      }
      return times.slice(5).sort((a, b) => a - b)[10]!;
    };
    await decode(16);
    const [short, long, shortAgain] = [await decode(128), await decode(4096), await decode(128)];
    expect(long / Math.max(short, shortAgain)).toBeLessThan(1.5);
  });
});
