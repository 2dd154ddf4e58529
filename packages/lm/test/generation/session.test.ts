import {
  createEngine,
  decodeSafetensors,
  disposeTree,
  type Engine,
  encodeSafetensors,
  InputError,
  Rng,
  zeros,
} from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type AnySequenceModel,
  decodeSnapshot,
  encodeSnapshot,
  Session,
  type SessionOptions,
  StepDecoder,
} from '../../src/index.js';
import { gatedRecurrence } from '../support/gated-recurrence.js';

const model = gatedRecurrence({ vocabSize: 9, width: 6, dropout: 0 });
const params = model.init(Rng.fromSeed(3));
const text = Array.from({ length: 100 }, (_, index) => (index * index + 3 * index) % 9);

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('cpu');
});
afterAll(async () => {
  expect(engine.memory().arrays).toBe(0);
  await engine.dispose();
});

const open = (options: Partial<SessionOptions> = {}) =>
  Session.create({ engine, model, params, seed: 5, ...options });
async function draws(session: Session, count: number): Promise<number[]> {
  const ids: number[] = [];
  for (let i = 0; i < count; i++) ids.push((await session.next()).id);
  return ids;
}

describe('Session', () => {
  it('reads in chunks what it reads step by step', async () => {
    const chunked = await open({ chunks: [64, 8] });
    const stepwise = await open({ chunks: [] });
    await chunked.prefill(text);
    for (const id of text) await stepwise.append([id]);
    const [a, b] = [await chunked.logits(), await stepwise.logits()];
    a.forEach((value, index) => {
      expect(Math.abs(value - b[index]!)).toBeLessThan(1e-6);
    });
    expect([chunked.position, stepwise.position]).toEqual([100, 100]);
    expect(chunked.stateBytes).toBe(6 * 4 + 4);
    await chunked.dispose();
    await stepwise.dispose();
  });

  it('forgets with prefill and reset, and repeats itself from its seed', async () => {
    const session = await open();
    await session.prefill(text.slice(0, 20));
    const first = await draws(session, 10);
    await session.prefill(text.slice(0, 20));
    const second = await draws(session, 10);
    expect(second).not.toEqual(first);
    await session.reset();
    expect(session.position).toBe(0);
    await expect(session.next()).rejects.toThrow('prefill it with at least one id');
    await session.append(text.slice(0, 20));
    expect(await draws(session, 10)).toEqual(first);
    await session.dispose();
  });

  it('goes on from a snapshot, in bytes and elsewhere, exactly as if it had never stopped', async () => {
    const session = await open({ sampling: { frequencyPenalty: 0.3 } });
    await session.prefill(text);
    await draws(session, 7);
    const snapshot = await session.snapshot();
    const expected = await draws(session, 12);
    const bytes = encodeSnapshot(snapshot);
    expect(bytes.length).toBeLessThan(2500);

    const other = await open({ seed: 99, sampling: { frequencyPenalty: 0.3 } });
    await other.restore(bytes);
    expect(other.position).toBe(107);
    expect(await draws(other, 12)).toEqual(expected);

    await session.restore(snapshot);
    expect(await draws(session, 12)).toEqual(expected);
    await session.dispose();
    await other.dispose();
  });

  it.each([
    [0, 1],
    [2, 2],
  ])(
    'with a penalty window of %i remembers %i of the newest tokens, over a snapshot too',
    async (window, kept) => {
      const penalty = { temperature: 0, frequencyPenalty: 50 };
      const session = await open({ penaltyWindow: window, sampling: penalty });
      expect(session.lastId).toBeUndefined();
      await session.prefill(text);
      expect(session.lastId).toBe(text.at(-1));
      const { id } = await session.next();
      expect(session.lastId).toBe(id);
      const other = await open({ penaltyWindow: window, sampling: penalty });
      const snapshot = decodeSnapshot(encodeSnapshot(await session.snapshot()));
      expect(snapshot.history).toEqual([...text, id].slice(-kept));
      await other.restore(snapshot);
      expect(other.lastId).toBe(id);
      await other.append([4]);
      expect(other.lastId).toBe(4);
      await other.dispose();
      await session.dispose();
    },
  );

  it('draws as without penalties when their window is 0', async () => {
    const often = (options: Partial<SessionOptions>) => open({ sampling: { temperature: 0 }, ...options });
    const penalty = { temperature: 0, frequencyPenalty: 50 };
    const replies = [];
    for (const session of [
      await often({}),
      await often({ penaltyWindow: 0, sampling: penalty }),
      await often({ penaltyWindow: 1, sampling: penalty }),
    ]) {
      await session.prefill(text);
      replies.push(await draws(session, 20));
      await session.dispose();
    }
    expect(replies[1]).toEqual(replies[0]);
    expect(replies[2]).not.toEqual(replies[0]);
  });

  it('can be saved before its first token', async () => {
    const session = await open();
    const snapshot = decodeSnapshot(encodeSnapshot(await session.snapshot()));
    await session.prefill(text);
    await session.restore(snapshot);
    await expect(session.logits()).rejects.toThrow('no next token');
    await session.dispose();
  });

  it('forks into sessions with one past and different futures, which outlive it', async () => {
    const session = await open();
    await session.prefill(text);
    const logits = await session.logits();
    const forks = await session.fork(3);
    await session.dispose();
    const futures = [];
    for (const fork of forks) {
      expect(await fork.logits()).toEqual(logits);
      futures.push((await draws(fork, 15)).join());
    }
    expect(new Set(futures).size).toBe(3);
    for (const fork of forks) await fork.dispose();
  });

  it('costs the same memory after 1,000 tokens as after one', async () => {
    const session = await open();
    await session.prefill([1]);
    await session.next();
    await session.next();
    const before = engine.memory();
    await draws(session, 1000);
    expect(engine.memory()).toEqual(before);
    expect((await session.snapshot()).history.length).toBe(256);
    await session.dispose();
  });

  it('leaves parameters that are on the engine to their owner', async () => {
    const device = engine.put(params);
    const session = await open({ params: device });
    await session.prefill(text);
    const logits = await session.logits();
    await session.dispose();
    const again = await open({ params: device, freeze: false });
    await again.prefill(text);
    expect(await again.logits()).toEqual(logits);
    await again.dispose();
    expect(engine.memory().arrays).toBe(7);
    disposeTree(device);
  });

  it('sits on a decoder whose parameters may change', async () => {
    const [first, second] = [0, 1].map((seed) => engine.put(model.init(Rng.fromSeed(seed))));
    const decoder = await StepDecoder.create(engine, model, first, { freeze: false });
    const session = Session.over(decoder, model);
    const logitsOf = async (tree: unknown) => {
      decoder.useParams(tree);
      await session.prefill(text);
      return session.logits();
    };
    const [a, b] = [await logitsOf(first), await logitsOf(second)];
    expect(a).not.toEqual(b);
    expect(await logitsOf(first)).toEqual(a);
    await session.dispose();
    disposeTree([first, second]);
  });

  it("decodes with a model's own decoder, snapshots and forks included", async () => {
    const reads: number[] = [];
    const fast: AnySequenceModel = {
      ...model,
      decoder: async (on, parameters, options) => {
        const plain = await StepDecoder.create(on, model, parameters, options);
        return Object.assign(plain, {
          read: async (ids: ArrayLike<number>) => {
            reads.push(ids.length);
            return StepDecoder.prototype.read.call(plain, ids);
          },
        });
      },
    };
    const own = await Session.create({ engine, model: fast, params, seed: 5 });
    const other = await open();
    for (const session of [own, other]) await session.prefill(text);
    expect(await draws(own, 6)).toEqual(await draws(other, 6));
    expect(await own.snapshot()).toEqual(await other.snapshot());
    expect(reads).toEqual([100, 1, 1, 1, 1, 1, 1]);
    const [fork] = await own.fork(1);
    const [otherFork] = await other.fork(1);
    expect(await draws(fork!, 4)).toEqual(await draws(otherFork!, 4));
    for (const session of [own, other, fork!, otherFork!]) await session.dispose();
  });

  it('refuses foreign snapshots and ids', async () => {
    const session = await open({ parametersId: 'abc' });
    await session.prefill(text);
    const snapshot = await session.snapshot();
    const wider = await Session.create({
      engine,
      model: gatedRecurrence({ vocabSize: 9, width: 7, dropout: 0 }),
      params: gatedRecurrence({ vocabSize: 9, width: 7, dropout: 0 }).init(Rng.fromSeed(0)),
    });
    await expect(wider.restore(snapshot)).rejects.toThrow('"width":6');
    const retrained = await open({ parametersId: 'xyz' });
    await expect(retrained.restore(snapshot)).rejects.toThrow("parameters 'abc'");
    const { hidden, ...rest } = snapshot.state;
    await expect(session.restore({ ...snapshot, state: rest })).rejects.toThrow(
      "'hidden' should be float32 [1, 6], but is missing",
    );
    expect(hidden!.shape).toEqual([1, 6]);
    await expect(session.append([9])).rejects.toThrow('id 9 is outside the vocabulary of 9');
    const bytes = encodeSnapshot(snapshot);
    expect(() => decodeSnapshot(bytes.subarray(0, 60), 'talk.session')).toThrow('talk.session');
    for (const each of [session, wider, retrained]) await each.dispose();
  });

  it('refuse by name what does not describe a session, and leave the session as it was', async () => {
    const session = await open();
    await session.prefill(text);
    const snapshot = await session.snapshot();
    const { tensors, metadata } = decodeSafetensors(encodeSnapshot(snapshot));
    const reading = (about: string, changed: Record<string, unknown> = {}) => {
      const arrays = { ...Object.fromEntries(tensors), ...changed } as Parameters<
        typeof encodeSafetensors
      >[0];
      const bytes = encodeSafetensors(arrays, { ...metadata, session: about });
      return () => decodeSnapshot(bytes, 'talk.session');
    };
    const about = JSON.parse(metadata.session!);
    for (const [wrong, message] of [
      ['{"position": 1, "history": [6,', /talk\.session is not JSON/],
      ['null', /talk\.session is a saved session without valid data/],
      [JSON.stringify({ ...about, history: [1, 0.5] }), /talk\.session .*'history\.1'/],
      [JSON.stringify({ ...about, position: -4 }), /talk\.session .*'position'/],
    ] as const) {
      const read = reading(wrong);
      expect(read).toThrow(InputError);
      expect(read).toThrow(message);
    }
    const nan = { dtype: 'F32', shape: [1, 6], data: new Float32Array(6).fill(Number.NaN) };
    expect(reading(metadata.session!, { 'state.hidden': nan })).toThrow(
      "talk.session is a saved session whose 'state.hidden' holds values that are no numbers",
    );
    const ids = { dtype: 'I32', shape: [9], data: new Int32Array(9) };
    expect(reading(metadata.session!, { logits: ids })).toThrow('logits are I32');

    const expected = await session.logits();
    for (const [change, message] of [
      [{ rng: [0, 0, 0, 0] }, 'random state'],
      [{ history: [9] }, 'id 9'],
      [{ logits: new Float32Array(3) }, '3 logits'],
    ] as const) {
      const other = { ...snapshot, state: { ...snapshot.state, hidden: zeros([1, 6]) }, ...change };
      await expect(session.restore(other)).rejects.toThrow(message);
    }
    await session.append([1]);
    const after = await session.logits();
    await session.restore(snapshot);
    expect(await session.logits()).toEqual(expected);
    await session.append([1]);
    expect(await session.logits()).toEqual(after);
    for (const id of [0.5, Number.NaN, 'b']) {
      await expect(session.append([id as number])).rejects.toThrow(`The id ${id} is outside`);
    }
    await session.dispose();
  });
});
