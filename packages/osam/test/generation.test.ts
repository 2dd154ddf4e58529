import { createDecoder, Session } from '@palimpsest/lm';
import { createEngine, type NDArray } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import type { OsamOptions } from '../src/index.js';
import { type HostState, randomModel, randomTokens, runPieces, stateDifference } from './support/models.js';

const small = { vocabSize: 9, dModel: 8, sketchDim: 20, readoutHidden: 6, chunk: 5 };

/** Reading all positions, holding the last read, and leaving out what is not read. */
const readings: Record<string, Partial<OsamOptions>> = {
  'every position': {},
  'every third position, held': { kUpdate: 3 },
  'every third position, else nothing': { kUpdate: 3, mode: 'parity' },
};

describe('decoding', async () => {
  const engine = await createEngine('cpu');
  const text = [...randomTokens(1, 30, 9).data];
  const wholeText = (ids: readonly number[]): NDArray<'int32'> => ({
    data: Int32Array.from(ids),
    shape: [1, ids.length],
    dtype: 'int32',
  });

  it.each(Object.entries(readings))('token by token equals reading at once: %s', async (_name, reading) => {
    const { model, params } = randomModel({ ...small, ...reading });
    const decoder = await createDecoder(engine, model, params, { chunks: [4] });
    for (const until of [1, 2, 3, 10, 11, 30]) {
      const read = text.slice(0, until);
      await decoder.reset();
      await decoder.read(read.slice(0, 5));
      for (const id of read.slice(5, -1)) await decoder.read([id]);
      const last = read.length > 5 ? await decoder.read(read.slice(-1)) : undefined;
      const { logits, state } = await runPieces(engine, model, params, wholeText(read), [until]);
      if (last) expect(maxDifference(last, logits.subarray((until - 1) * 9))).toBeLessThan(2e-5);
      expect(stateDifference((await decoder.state()) as HostState, state)).toBeLessThan(5e-5);
    }
    await decoder.dispose();
    expect(engine.memory().arrays).toBe(0);
  });

  it('goes on from a memory and in forks at the right turn of skipped reads', async () => {
    const { model, params } = randomModel({ ...small, kUpdate: 3 });
    const decoder = await createDecoder(engine, model, params);
    await decoder.read(text.slice(0, 7));
    const fork = await decoder.fork();
    const other = await createDecoder(engine, model, params);
    await other.restore(await decoder.state());
    for (const id of text.slice(7, 14)) {
      const [a, b, c] = [await decoder.read([id]), await fork.read([id]), await other.read([id])];
      expect(b).toEqual(a);
      expect(c).toEqual(a);
    }
    for (const each of [decoder, fork, other]) await each.dispose();
  });

  it('under a session draws what the whole text would, and repeats itself for a seed', async () => {
    const { model, params } = randomModel({ ...small, kUpdate: 3 });
    const session = await Session.create({ engine, model, params, seed: 1 });
    const ids = [1, 5, 2];
    await session.prefill(ids);
    for (let i = 0; i < 8; i++) {
      const { logits } = await runPieces(engine, model, params, wholeText(ids), [ids.length]);
      const row = logits.subarray((ids.length - 1) * 9);
      const { id } = await session.next({ temperature: 0 });
      expect(row.indexOf(Math.max(...row))).toBe(id);
      ids.push(id);
    }
    const drawn = async (seed: number) => {
      await session.prefill([1, 5, 2]);
      session.reseed(seed);
      const list: number[] = [];
      for (let i = 0; i < 20; i++) list.push((await session.next({ temperature: 2 })).id);
      return list;
    };
    expect(await drawn(1)).toEqual(await drawn(1));
    expect(await drawn(1)).not.toEqual(await drawn(2));
    await session.dispose();
  });
});

function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Math.max(...Array.from(a, (value, index) => Math.abs(value - b[index]!)));
}
