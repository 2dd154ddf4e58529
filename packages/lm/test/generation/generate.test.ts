import { createEngine, type Engine, Rng } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ByteTokenizer,
  CharacterTokenizer,
  type GenerateOptions,
  type GenerationEvent,
  generate,
  generateText,
  Session,
  StepDecoder,
  topTokens,
} from '../../src/index.js';
import { counter } from '../support/counter.js';
import { gatedRecurrence } from '../support/gated-recurrence.js';

const alphabet = CharacterTokenizer.fromText('abcdefghij');
let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('cpu');
});
afterAll(async () => {
  expect(engine.memory().arrays).toBe(0);
  await engine.dispose();
});

/** Writes the alphabet on and on: each reply is known. */
async function withCounter<T>(use: (session: Session) => Promise<T>): Promise<T> {
  const model = counter(10);
  const session = await Session.create({
    engine,
    model,
    params: model.init(Rng.fromSeed(0)),
    sampling: { temperature: 0 },
  });
  try {
    return await use(session);
  } finally {
    await session.dispose();
  }
}
const events = (options: Omit<GenerateOptions, 'session' | 'tokenizer'>) =>
  withCounter(async (session) => {
    const list: GenerationEvent[] = [];
    for await (const event of generate({ session, tokenizer: alphabet, ...options })) list.push(event);
    return list;
  });
const texts = (list: GenerationEvent[]) => list.map(({ text }) => text);

describe('generate', () => {
  it('writes on token by token and says why it ended', async () => {
    const list = await events({ prompt: 'c', maximumTokens: 4 });
    expect(texts(list)).toEqual(['d', 'e', 'f', 'g', '']);
    expect(list.at(-1)).toMatchObject({ type: 'end', reason: 'length', tokens: 4 });
    for (const event of list.slice(0, -1)) {
      // One logit of 5 and nine of 0.
      expect((event as { logProbability: number }).logProbability).toBeCloseTo(
        5 - Math.log(Math.exp(5) + 9),
        5,
      );
    }
  });

  it('begins an empty prompt from the start id', async () => {
    expect(texts(await events({ maximumTokens: 2 }))).toEqual(['b', 'c', '']);
    expect(alphabet.startId).toBe(0);
  });

  it('ends before a stop sequence and holds back what might become one', async () => {
    const list = await events({ prompt: 'a', stop: ['ef', 'dx'] });
    expect(texts(list)).toEqual(['b', 'c', '', 'd', '', '']);
    expect(list.at(-1)).toMatchObject({ reason: 'stop', tokens: 5, text: '' });
    // Cut off by the length, the beginning of a stop sequence is text after all.
    const cut = await events({ prompt: 'a', stop: ['efg'], maximumTokens: 5 });
    expect(texts(cut)).toEqual(['b', 'c', 'd', '', '', 'ef']);
  });

  it('ends at a stop id, which is no text', async () => {
    const list = await events({ prompt: 'a', stopIds: [3] });
    expect(texts(list)).toEqual(['b', 'c', '']);
    expect(list.at(-1)).toMatchObject({ reason: 'stop', tokens: 3, stopId: 3 });
  });

  it('goes on from ids as from their text', async () => {
    expect(texts(await events({ prompt: [7, 2], maximumTokens: 2 }))).toEqual(['d', 'e', '']);
    expect(texts(await events({ prompt: [], maximumTokens: 1 }))).toEqual(['b', '']);
  });

  it('stops between two tokens when aborted, and the session goes on', async () => {
    await withCounter(async (session) => {
      const controller = new AbortController();
      const reply: string[] = [];
      for await (const event of generate({
        session,
        tokenizer: alphabet,
        prompt: 'a',
        signal: controller.signal,
      })) {
        reply.push(event.text);
        if (event.text === 'c') controller.abort();
        if (event.type === 'end') expect(event.reason).toBe('aborted');
      }
      expect(reply).toEqual(['b', 'c', '']);
      expect(await generateText({ session, tokenizer: alphabet, keepContext: true, maximumTokens: 2 })).toBe(
        'de',
      );
      expect(
        await generateText({
          session,
          tokenizer: alphabet,
          prompt: 'g',
          keepContext: true,
          maximumTokens: 2,
        }),
      ).toBe('hi');
    });
  });

  it('reads a long prompt in pieces, and stops between two of them when aborted', async () => {
    const model = counter(10);
    const params = model.init(Rng.fromSeed(0));
    const prompt = Int32Array.from({ length: 1300 }, (_, i) => (i * i) % 10);
    const reading = async (controller: AbortController, whenRead: () => void) => {
      const reads: number[] = [];
      const decoder = await StepDecoder.create(engine, model, params, {});
      const noting = Object.assign(decoder, {
        read: (ids: ArrayLike<number>) => {
          reads.push(ids.length);
          whenRead();
          return StepDecoder.prototype.read.call(decoder, ids);
        },
      });
      const session = Session.over(noting, model, { sampling: { temperature: 0 } });
      const list: GenerationEvent[] = [];
      const { signal } = controller;
      for await (const event of generate({
        session,
        tokenizer: alphabet,
        prompt,
        signal,
        maximumTokens: 1,
      })) {
        list.push(event);
      }
      const { position, lastId } = session;
      await session.dispose();
      return { reads, position, lastId, last: list.at(-1), count: list.length };
    };
    const stopping = new AbortController();
    expect(await reading(stopping, () => stopping.abort())).toMatchObject({
      reads: [64],
      position: 64,
      lastId: prompt[63],
      last: { type: 'end', reason: 'aborted', tokens: 0, text: '' },
      count: 1,
    });
    expect(await reading(new AbortController(), () => {})).toMatchObject({
      reads: [...Array(20).fill(64), 20],
      position: 1301,
      last: { reason: 'length' },
      count: 2,
    });
  });

  it('names the likeliest tokens in the place of each when asked to', async () => {
    const [first, second] = await events({ prompt: 'c', maximumTokens: 2, alternatives: 3 });
    // One logit of 5 and nine of 0, of which the lower ids go first.
    const total = Math.log(Math.exp(5) + 9);
    for (const [event, best] of [
      [first, 3],
      [second, 4],
    ] as const) {
      const named = event?.type === 'token' ? event.alternatives! : [];
      const logits = Float32Array.from({ length: 10 }, (_, id) => (id === best ? 5 : 0));
      expect(named).toEqual(topTokens(logits, 3));
      expect(named.map(({ id }) => id)).toEqual([best, 0, 1]);
      expect(named[0]!.logProbability).toBeCloseTo(5 - total, 5);
      expect(named[1]!.logProbability).toBeCloseTo(-total, 5);
    }
    const [plain] = await events({ prompt: 'c', maximumTokens: 1 });
    expect(plain).toMatchObject({ type: 'token', id: 3, alternatives: undefined });
  });

  it('reads the last prompt token twice only when asked to', async () => {
    // It says the sum of what it has read: 1, that is b, after one b; 2, that is c, after two.
    const model = counter(10, true);
    const session = await Session.create({
      engine,
      model,
      params: model.init(Rng.fromSeed(0)),
      sampling: { temperature: 0 },
    });
    const next = (priming: 'exact' | 'reference') =>
      generateText({ session, tokenizer: alphabet, prompt: 'b', maximumTokens: 1, priming });
    expect([await next('exact'), await next('reference')]).toEqual(['b', 'c']);
    await session.dispose();
  });

  it('gives equal replies for equal seeds and streams bytes as characters', async () => {
    const model = gatedRecurrence({ vocabSize: 256, width: 6, dropout: 0 });
    const session = await Session.create({ engine, model, params: model.init(Rng.fromSeed(1)) });
    const tokenizer = new ByteTokenizer();
    const reply = async (seed: number) =>
      generateText({ session, tokenizer, prompt: 'é', seed, maximumTokens: 40 });
    const first = await reply(1);
    expect(await reply(1)).toBe(first);
    expect(await reply(2)).not.toBe(first);
    await session.dispose();
  });
});
