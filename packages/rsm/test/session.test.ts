import { Session } from '@palimpsest/lm';
import { createEngine } from '@palimpsest/tensor-core';
import { afterAll, describe, expect, it } from 'vitest';
import { lively, randomTokens, smallModel } from './support/models.js';

const engine = await createEngine('onnx');
afterAll(() => engine.dispose());

describe('a session of lm', () => {
  it.each([
    ['parallel', {}],
    ['shared memory', { preset: 'causal', memoryScope: 'shared' }],
    ['parity', { preset: 'parity', useGlobalSync: false }],
    ['a sliding window', { slidingWindow: 2 }],
  ] as const)('over %s goes on bit by bit after it was saved, restored or forked', async (_name, options) => {
    const model = smallModel({ windowSize: 7, ...options });
    const params = lively(model);
    const ids = Array.from(randomTokens(1, 64 + 8 + 3, model.vocabSize).data, Number);
    const create = () => Session.create({ engine, model, params, sampling: { temperature: 0 } });
    const [plain, saved] = [await create(), await create()];
    const write = async (session: Session, count: number) => {
      const drawn: number[] = [];
      for (let index = 0; index < count; index++) drawn.push((await session.next()).id);
      return drawn;
    };
    await plain.append(ids);
    const text = await write(plain, 20);
    await saved.append(ids);
    const first = await write(saved, 9);
    const other = await create();
    await other.restore(await saved.snapshot());
    const [fork] = (await saved.fork(1)) as [Session];
    await write(fork, 3);
    expect([...first, ...(await write(saved, 11))]).toEqual(text);
    expect([...first, ...(await write(other, 11))]).toEqual(text);
    const logits = await plain.logits();
    expect(await saved.logits()).toEqual(logits);
    expect(await other.logits()).toEqual(logits);
    for (const session of [plain, saved, other, fork]) await session.dispose();
    expect(engine.memory().arrays).toBe(0);
  });
});
