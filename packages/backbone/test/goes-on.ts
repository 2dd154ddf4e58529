import { Session } from '@palimpsest/lm';
import type { Engine } from '@palimpsest/tensor-core';
import { expect } from 'vitest';
import type { frozenModel } from './frozen-model.js';
import { randomTokens } from './helpers.js';

const text = (count: number) => [...randomTokens(1, count, count).data];

/** A text is forked, saved, restored and begun anew, and each of them goes on bit for bit. */
export async function expectToGoOn(
  engine: Engine,
  { model, others }: ReturnType<typeof frozenModel>,
): Promise<void> {
  const options = { engine, model, params: others };
  const session = await Session.create({ ...options, seed: 2 });
  const other = await Session.create({ ...options, seed: 9 });
  for (const length of [16, 250, 60]) {
    await session.append(text(length));
    const [fork] = await session.fork(1);
    await other.restore(await session.snapshot());
    const expected = [await session.next(), await session.next()];
    expect([await other.next(), await other.next()]).toEqual(expected);
    // A fork draws from a seed of its own, so it reads what was drawn, token by token as that was.
    for (const { id } of expected) {
      await fork!.append([id]);
      await fork!.logits();
    }
    for (const each of [other, fork!]) expect(await each.logits()).toEqual(await session.logits());
    await fork!.dispose();
  }
  for (const each of [session, other]) {
    await each.reset();
    await each.append(text(16));
  }
  expect(await other.logits()).toEqual(await session.logits());
  await session.dispose();
  await other.dispose();
}
