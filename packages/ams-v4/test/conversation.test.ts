import { type NDArray, ndarray, treeMap } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ConversationAdapters, ConversationOptions } from '../src/index.js';
import { conversationConfig, KeyValueMemory, TextModel, trainConversation } from '../src/index.js';
import { withEngine } from './support/engine.js';
import { talks, wordModel } from './support/word-model.js';

const engine = withEngine();
let text: TextModel;
let adapters: ConversationAdapters;
beforeAll(async () => {
  text = new TextModel(engine(), wordModel());
  adapters = await trainConversation(text, talks(60, 1), { steps: 250 });
}, 300_000);
afterAll(() => text.dispose());

const memoryWith = (options: ConversationOptions = {}) =>
  new KeyValueMemory(text, { ...adapters, config: conversationConfig({ ...adapters.config, ...options }) });

describe('retrieval', () => {
  it('finds what answers a question of a conversation that it was not trained on', async () => {
    let [first, among, asked] = [0, 0, 0];
    for (const { facts, queries } of talks(12, 77)) {
      const memory = memoryWith();
      await memory.writeMany(facts);
      const found = await memory.retrieve(queries.map((query) => query.text));
      found.forEach((list, i) => {
        const rank = list.findIndex(({ mid }) => mid === queries[i]!.target);
        asked += 1;
        if (rank === 0) first += 1;
        if (rank >= 0) among += 1;
      });
      await memory.dispose();
    }
    expect(first / asked).toBeGreaterThan(0.9);
    expect(among / asked).toBeGreaterThan(0.97);
  });

  it('gives a batch of queries what each would get alone', async () => {
    const [{ facts, queries }] = talks(1, 5) as [ReturnType<typeof talks>[0]];
    const memory = memoryWith();
    await memory.writeMany(facts);
    const questions = queries.map((query) => query.text);
    const together = await memory.answer(questions, { maxTokens: 6, updateStats: false });
    for (const [i, question] of questions.entries()) {
      const [alone] = await memory.answer([question], { maxTokens: 6, updateStats: false });
      expect(alone!.text).toBe(together[i]!.text);
      expect(alone!.found.map(({ mid }) => mid)).toEqual(together[i]!.found.map(({ mid }) => mid));
    }
    await memory.dispose();
  });

  it('keeps the best memory, whatever its probability, and takes a score that is no number for an error', async () => {
    const [{ facts, queries }] = talks(1, 6) as [ReturnType<typeof talks>[0]];
    const memory = memoryWith({ pMin: 1 });
    await memory.writeMany(facts);
    const [found] = await memory.retrieve([queries[0]!.text]);
    expect(found!.map(({ kept }) => kept)).toEqual([true, false, false, false]);
    await memory.dispose();
    const heads = treeMap<NDArray, NDArray, ConversationAdapters['heads']>(adapters.heads, (leaf, path) =>
      path === 'rawBundleWeight' ? ndarray([Number.NaN, 1, 1], [3]) : leaf,
    );
    const broken = new KeyValueMemory(text, { ...adapters, heads });
    await broken.writeMany(facts);
    await expect(broken.retrieve([queries[0]!.text])).rejects.toThrow();
    await broken.dispose();
  });
});

describe('a lead-in', () => {
  it('stands once before all memories, and a memory is read behind it', async () => {
    const options = { leadIn: 'Notes:\n', kvTokens: 'all', kvDtype: 'f32' } as const;
    const own = await trainConversation(text, talks(2, 1), { steps: 1, memory: options });
    const memory = new KeyValueMemory(text, own);
    const fact = "Ravi's locker opens with 4580.";
    await memory.write(fact);
    const question = "What is the code of Ravi's locker?";
    const [answer] = await memory.answer([question], { maxTokens: 8 });
    const lead = text.encode('Notes:\n');
    const plain = [...lead, ...text.encode(`User: ${fact}\n`), ...memory.promptIds(question)];
    const [ids] = await text.continue([plain], 8);
    expect(answer!.text).toBe(text.decode(ids!).trim());
    expect(answer!.positions).toBe(plain.length - memory.promptIds(question).length);
    // Without memories it stands there alone.
    expect(memory.prefixOf([]).positions).toBe(lead.length);
    await memory.dispose();
  }, 60_000);
});

describe('keys and values', () => {
  const fact = "Ravi's locker opens with 4580.";
  const question = "What is the code of Ravi's locker?";

  it('of all tokens of one memory are the text before the prompt', async () => {
    const memory = memoryWith({ kvTokens: 'all', kvDtype: 'f32' });
    await memory.write(fact);
    const [answer] = await memory.answer([question], { maxTokens: 8 });
    const plain = [...text.encode(`User: ${fact}\n`), ...memory.promptIds(question)];
    const [ids] = await text.continue([plain], 8);
    expect(answer!.text).toBe(text.decode(ids!).trim());
    expect(answer!.positions).toBe(text.encode(`User: ${fact}\n`).length);
    await memory.dispose();
  });

  it('leave the answers of others as they were when a memory comes and goes', async () => {
    const memory = memoryWith({ kvDtype: 'f16' });
    await memory.writeMany(['My dog is called Mochi.', fact]);
    const before = await memory.answer([question], { maxTokens: 8, memories: [1] });
    const { mid } = await memory.write("Lena's boss is named Quigley.");
    expect(memory.remove(mid)).toBe(true);
    expect(await memory.answer([question], { maxTokens: 8, memories: [1] })).toMatchObject([
      { text: before[0]!.text },
    ]);
    expect([memory.size, memory.bank.size]).toEqual([2, 2]);
    await memory.dispose();
  });

  it('are never more than the prefix holds, and those of the best memory always', async () => {
    const memory = memoryWith({ lMem: 5, pMin: 0 });
    await memory.writeMany([fact, 'My dog is called Mochi.', "Lena's boss is named Quigley."]);
    const [answer] = await memory.answer([question], { maxTokens: 1 });
    expect(answer!.positions).toBe(memory.bank.tokens(answer!.found[0]!.mid));
    await memory.dispose();
  });

  it.each([
    ['f32', 1, 0],
    ['f16', 2, 1e-3],
    ['int8', 2.5, 1e-2],
    ['int4', 4, 0.15],
    ['kakeya', 6, 0.5],
  ] as const)(
    'as %s take %d times fewer bytes than float32, with a small error',
    async (kvDtype, smaller, error) => {
      const [exact, coded] = [memoryWith({ kvDtype: 'f32' }), memoryWith({ kvDtype })];
      for (const memory of [exact, coded]) await memory.writeMany([fact, 'My dog is called Mochi.']);
      expect(exact.bytes().keyValues / coded.bytes().keyValues).toBeGreaterThanOrEqual(smaller);
      const [a, b] = [exact.bank.rowsOf([0]).data, coded.bank.rowsOf([0]).data];
      const difference = Math.hypot(...a.map((value, i) => value - b[i]!)) / Math.hypot(...a);
      expect(difference).toBeLessThanOrEqual(error);
      for (const memory of [exact, coded]) await memory.dispose();
    },
  );
});

describe('slots', () => {
  it('are a shortened line of the conversation before the prompt', async () => {
    const memory = memoryWith({ prefixMode: 'slots', slotsPerMemory: 4 });
    await memory.write("Lena's boat has on its side Gomnal.");
    const question = "What does one read on Lena's boat?";
    const [answer] = await memory.answer([question], { maxTokens: 6 });
    const content = memory.store.get(0)!.contentTokenIds;
    expect(text.decode(content)).toContain('Gomnal');
    const line = [...text.encode('User:', false), ...content, ...text.encode('.\n', false)];
    const [ids] = await text.continue([[...line, ...memory.promptIds(question)]], 6);
    expect(answer!.text).toBe(text.decode(ids!).trim());
    expect(answer!.positions).toBe(line.length);
    await memory.dispose();
  });
});

describe('a living memory', () => {
  it('answers without memories as the model alone', async () => {
    const memory = memoryWith();
    const [answer] = await memory.answer(['Who is my boss?'], { maxTokens: 5 });
    const [ids] = await text.continue([memory.promptIds('Who is my boss?')], 5);
    expect([answer!.text, answer!.positions]).toEqual([text.decode(ids!).trim(), 0]);
    await memory.dispose();
  });

  it('does not write what it knows, notes that it was told again, and can be forced', async () => {
    const memory = memoryWith({ writeGate: 0.999 });
    await memory.write('My dog is called Mochi.');
    expect(await memory.write('My dog is called Mochi.')).toEqual({ mid: 0, known: true });
    expect(memory.store.get(0)!.cnt).toBe(1);
    expect(await memory.write('My dog is called Mochi.', { force: true })).toEqual({ mid: 1, known: false });
    expect((await memory.write("Lena's boss is named Quigley.")).known).toBe(false);
    await memory.dispose();
  });

  it('updates a memory under its id, and counts what it uses', async () => {
    const memory = memoryWith();
    await memory.writeMany(['My dog is called Mochi.', 'My door is painted teal.']);
    await memory.update(0, 'My dog is called Rufus.');
    const [answer] = await memory.answer(['What is the name of my dog?'], { maxTokens: 1 });
    expect(answer!.found[0]).toMatchObject({ mid: 0, text: 'My dog is called Rufus.' });
    expect(memory.store.get(0)).toMatchObject({ version: 1, cnt: 1, ts: 2 });
    await expect(memory.update(9, 'x')).rejects.toThrow('There is no memory 9');
    await memory.dispose();
  });

  it('leaves the logits alone: a plain loop over the model gives the same tokens', async () => {
    const memory = memoryWith({ kvTokens: 'all', kvDtype: 'f32', pMin: 0, fusedTopK: 3, lMem: 200 });
    await memory.writeMany(talks(1, 9)[0]!.facts.slice(0, 3));
    const question = 'Who is my boss?';
    const [answer] = await memory.answer([question], { maxTokens: 8 });
    const rows = answer!.found.map(({ mid }) => memory.bank.rowsOf([mid])).reverse();
    const width = rows[0]!.shape[1]!;
    const joined = ndarray(Float32Array.from(rows.flatMap(({ data }) => [...data])), [
      answer!.positions,
      width,
    ]);
    // One token at a time, each from the whole prompt again, the likeliest of the plain logits.
    const prompt = memory.promptIds(question);
    const said: number[] = [];
    for (let i = 0; i < 8; i++) {
      const [next] = await text.continue([[...prompt, ...said]], 1, { before: [joined] });
      said.push(next![0]!);
    }
    expect(answer!.text).toBe(text.decode(said).trim());
    await memory.dispose();
  });
});

it('training refuses a target that is no fact, and sessions without questions', async () => {
  const wrong = [{ facts: ['a b c'], queries: [{ text: 'what', target: 1 }] }];
  await expect(trainConversation(text, wrong)).rejects.toThrow("'what' of session 0 is answered by fact 1");
  await expect(trainConversation(text, [{ facts: ['a b c'], queries: [] }])).rejects.toThrow();
});

it('ends training where its signal says so, without adapters', async () => {
  const stop = new AbortController();
  const seen: number[] = [];
  const ended = trainConversation(text, talks(6, 2), {
    steps: 50,
    signal: stop.signal,
    onStep: (step) => {
      seen.push(step);
      if (step === 2) stop.abort(new Error('enough'));
    },
  });
  await expect(ended).rejects.toThrow('enough');
  expect(seen).toEqual([0, 1, 2]);
});
