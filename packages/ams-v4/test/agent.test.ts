import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fnv1a, hex32, InputError } from '@palimpsest/base';
import { FolderLock } from '@palimpsest/lm';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  type ConversationAdapters,
  conversationConfig,
  createAgentMemory,
  KeyValueMemory,
  loadConversation,
  saveConversation,
  TextModel,
  trainConversation,
} from '../src/index.js';
import { withEngine } from './support/engine.js';
import { talks, wordModel } from './support/word-model.js';

const root = mkdtempSync(join(tmpdir(), 'palimpsest-agent-'));
afterAll(() => rmSync(root, { recursive: true }));
let folders = 0;
/** The file of a descriptor; the one that was read with is gone by then. */
const linkOf = (descriptor: string): string | undefined => {
  try {
    return readlinkSync(join('/proc/self/fd', descriptor));
  } catch {
    return undefined;
  }
};
const newFolder = () => join(root, String(folders++));
const engine = withEngine();
let clock = 1000;
const now = () => clock++;

describe("an agent's memory by words", () => {
  it('finds, filters, updates, forgets and lists', async () => {
    const memory = await createAgentMemory('none', { now });
    await memory.add('Rufus the dog likes cold tea.', { metadata: { kind: 'pet' }, time: 10 });
    await memory.add('The locker opens with 4580.', { namespace: 'work', time: 20 });
    await memory.add('The dog next door is called Mochi.', { time: 30 });
    const texts = async (query: string, options = {}) =>
      (await memory.search(query, options)).map(({ text }) => text);
    expect(await texts('which dog likes tea')).toEqual([
      'Rufus the dog likes cold tea.',
      'The dog next door is called Mochi.',
    ]);
    expect(await texts('dog', { k: 1 })).toHaveLength(1);
    expect(await texts('dog', { where: { kind: 'pet' } })).toEqual(['Rufus the dog likes cold tea.']);
    expect(await texts('the', { namespace: 'work' })).toEqual(['The locker opens with 4580.']);
    expect(await texts('dog', { since: 20 })).toEqual(['The dog next door is called Mochi.']);
    expect(await texts('the', { until: 20 })).toEqual(['Rufus the dog likes cold tea.']);
    await memory.update(1, 'The locker opens with 9078.');
    expect(memory.get(1)).toMatchObject({ text: 'The locker opens with 9078.', version: 1 });
    expect(await texts('locker 4580')).toEqual(['The locker opens with 9078.']);
    expect([await memory.forget(1), await memory.forget(1)]).toEqual([true, false]);
    expect(memory.list().map(({ id }) => id)).toEqual([0, 2]);
    expect(
      memory
        .export()
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).id),
    ).toEqual([0, 2]);
    await expect(memory.ask('Who?')).rejects.toThrow('this memory has none; use search');
    await expect(memory.update(7, 'x')).rejects.toThrow('There is no memory 7');
    await expect(memory.add(' ')).rejects.toThrow('this one is empty');
  });

  it('does not write a text twice in a namespace, unless it is told to', async () => {
    const memory = await createAgentMemory('none', { now });
    expect(await memory.add('My dog is Rufus.')).toEqual({ id: 0, known: false });
    expect(await memory.add(' my dog  is Rufus. ')).toEqual({ id: 0, known: true });
    expect(memory.get(0)!.uses).toBe(1);
    expect(await memory.add('My dog is Rufus.', { namespace: 'other' })).toEqual({ id: 1, known: false });
    expect(await memory.add('My dog is Rufus.', { force: true })).toEqual({ id: 2, known: false });
  });
});

describe('a memory in a folder', () => {
  const fill = async (folder: string) => {
    const memory = await createAgentMemory('none', { folder, now });
    for (const text of ['one cat', 'two dogs', 'three birds']) await memory.add(text);
    await memory.update(1, 'two wolves');
    await memory.forget(0);
    await memory.close();
    return memory.list();
  };

  it('is the same after its process', async () => {
    const folder = newFolder();
    const before = await fill(folder);
    const again = await createAgentMemory('none', { folder, now });
    expect(again.list()).toEqual(before);
    expect((await again.add('four fish')).id).toBe(3);
    await again.close();
  });

  it('loses nothing but the event that was being written, wherever the process is killed', async () => {
    const folder = newFolder();
    await fill(folder);
    const path = join(folder, 'memory.jsonl');
    const whole = readFileSync(path);
    const ends = [...whole.toString().matchAll(/\n/g)].map(({ index }) => index + 1);
    for (let size = whole.length; size >= 0; size -= 7) {
      writeFileSync(path, whole);
      truncateSync(path, size);
      const memory = await createAgentMemory('none', { folder, now });
      const events = ends.filter((end) => end <= size).length;
      expect(memory.size).toBe([0, 1, 2, 3, 3, 2][events]);
      await memory.add('after the fall');
      await memory.close();
      const again = await createAgentMemory('none', { folder, now });
      expect(again.list().at(-1)!.text).toBe('after the fall');
      await again.close();
    }
  });

  it('is refused when it is damaged before its end, or no memory', async () => {
    const folder = newFolder();
    await fill(folder);
    const path = join(folder, 'memory.jsonl');
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replace('one cat', 'one cow'));
    await expect(createAgentMemory('none', { folder })).rejects.toThrow('line 1 does not have the checksum');
    appendFileSync(path, 'x');
    writeFileSync(join(root, 'file'), '');
    await expect(createAgentMemory('none', { folder: join(root, 'file') })).rejects.toThrow('cannot be made');
  });

  it('is given back when it cannot be opened', async () => {
    const folder = newFolder();
    await fill(folder);
    const path = join(folder, 'memory.jsonl');
    const text = readFileSync(path, 'utf8');
    // Whole lines, but the first one is of no memory, so that it fails when it is taken.
    const json = JSON.stringify({ seq: 1, op: 'add' });
    writeFileSync(path, `${hex32(fnv1a(json))} ${json}\n${text}`);
    const open = () => readdirSync('/proc/self/fd').flatMap((fd) => linkOf(fd) ?? []);
    await expect(createAgentMemory('none', { folder })).rejects.toThrow();
    expect(existsSync(join(folder, 'memory.lock'))).toBe(false);
    if (existsSync('/proc/self/fd')) expect(open()).not.toContain(realpathSync(path));
    writeFileSync(path, text);
    await (await createAgentMemory('none', { folder, now })).close();
  });

  it('is refused in one sentence where nothing may be written', async () => {
    const folder = newFolder();
    mkdirSync(folder);
    const denied = Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
    const claim = vi.spyOn(FolderLock, 'claim').mockImplementation(() => {
      throw denied;
    });
    try {
      await expect(createAgentMemory('none', { folder })).rejects.toThrow(
        new InputError(
          `The folder of a memory cannot be used '${folder}': that is not permitted there; choose another one (--folder).`,
        ),
      );
    } finally {
      claim.mockRestore();
    }
  });

  it('is written anew when most of it no longer counts, and ids go on', async () => {
    const folder = newFolder();
    const memory = await createAgentMemory('none', { folder, now });
    for (let i = 0; i < 50; i++) {
      const { id } = await memory.add(`text ${i}`);
      await memory.forget(id);
    }
    await memory.close();
    expect(readFileSync(join(folder, 'memory.jsonl'), 'utf8').split('\n').length).toBeLessThan(64);
    const again = await createAgentMemory('none', { folder, now });
    expect((await again.add('next')).id).toBe(50);
    await again.close();
  });
});

describe('calls that are made side by side', () => {
  const reopened = async (folder: string) => {
    const memory = await createAgentMemory('none', { folder, now });
    await memory.close();
    return memory.list();
  };
  const some = Array.from({ length: 20 }, (_, i) => `text ${i}`);

  it('give every text an id of its own, and write none of them twice', async () => {
    const folder = newFolder();
    const memory = await createAgentMemory('none', { folder, now });
    const added = await Promise.all([...some, ...some].map((text) => memory.add(text)));
    expect(added.map(({ known }) => known)).toEqual([...some.map(() => false), ...some.map(() => true)]);
    expect(added.map(({ id }) => id)).toEqual([...some.keys(), ...some.keys()]);
    await memory.close();
    expect((await reopened(folder)).map(({ id, text }) => [id, text])).toEqual([...some.entries()]);
  });

  it('lose nothing while the journal is written anew', async () => {
    const folder = newFolder();
    const memory = await createAgentMemory('none', { folder, now });
    await Promise.all(some.map((text) => memory.add(text)));
    // 120 lines more than the 20 of the texts: the journal is written anew on the way.
    await Promise.all(
      Array.from({ length: 120 }, (_, i) =>
        i % 4 === 0 ? memory.add(`later ${i}`) : memory.update(i % 20, `text ${i % 20} of turn ${i}`),
      ),
    );
    const before = memory.list();
    await memory.close();
    expect(before).toHaveLength(50);
    expect(readFileSync(join(folder, 'memory.jsonl'), 'utf8').split('\n').length).toBeLessThan(140);
    expect(await reopened(folder)).toEqual(before);
  });

  it('are done before the memory closes, and refused after it', async () => {
    const folder = newFolder();
    const memory = await createAgentMemory('none', { folder, now });
    const added = memory.add('said at the last moment');
    const closed = memory.close();
    const late = memory.add('too late');
    await expect(late).rejects.toThrow(`The memory in '${folder}' is closed; open it again.`);
    expect(await added).toEqual({ id: 0, known: false });
    await closed;
    await expect(memory.search('moment')).rejects.toThrow('is closed');
    await expect(memory.update(0, 'x')).rejects.toThrow('is closed');
    await memory.close();
    expect((await reopened(folder)).map(({ text }) => text)).toEqual(['said at the last moment']);
  });

  it('go on after one that was refused', async () => {
    const memory = await createAgentMemory('none', { now });
    const [bad, good] = [memory.add(' '), memory.add('a text')];
    await expect(bad).rejects.toThrow('this one is empty');
    expect(await good).toEqual({ id: 0, known: false });
    await memory.close();
    expect((await memory.search('text')).map(({ id }) => id)).toEqual([0]);
  });
});

describe("an agent's memory with a language model", () => {
  let text: TextModel;
  let adapters: ConversationAdapters;
  beforeAll(async () => {
    text = new TextModel(engine(), wordModel());
    adapters = await trainConversation(text, talks(40, 1), { steps: 150 });
  }, 300_000);
  afterAll(() => text.dispose());
  const model = () => new KeyValueMemory(text, { ...adapters, config: conversationConfig(adapters.config) });

  it('answers the same after its process, without reading its texts again', async () => {
    const folder = newFolder();
    const [{ facts, queries }] = talks(1, 31) as [ReturnType<typeof talks>[0]];
    const first = await createAgentMemory(model(), { folder, now });
    for (const fact of facts) await first.add(fact);
    await first.update(2, "Lena's boss is named Quigley.");
    await first.forget(5);
    const question = queries[0]!.text;
    const before = await first.ask(question, { maxTokens: 6 });
    await first.close();
    const again = await createAgentMemory(model(), { folder, now });
    const after = await again.ask(question, { maxTokens: 6 });
    expect(after.text).toBe(before.text);
    expect(after.positions).toBe(before.positions);
    expect(after.memories.map(({ id, score }) => [id, score.toFixed(5)])).toEqual(
      before.memories.map(({ id, score }) => [id, score.toFixed(5)]),
    );
    await again.close();
  });

  it('finds the same with adapters that went through a folder', async () => {
    const folder = newFolder();
    await saveConversation(folder, adapters);
    const loaded = new KeyValueMemory(text, await loadConversation(folder, text.model.options));
    const fresh = model();
    const [{ facts, queries }] = talks(1, 32) as [ReturnType<typeof talks>[0]];
    const questions = queries.map((query) => query.text);
    for (const one of [loaded, fresh]) await one.writeMany(facts);
    expect(await loaded.answer(questions, { maxTokens: 4 })).toEqual(
      await fresh.answer(questions, { maxTokens: 4 }),
    );
    await expect(loadConversation(newFolder(), text.model.options)).rejects.toThrow(
      'holds no adapters of a memory',
    );
    const wider = { ...text.model.options, modelWidth: 64 };
    await expect(loadConversation(folder, wider)).rejects.toThrow('these adapters belong to another model');
  });

  it('refuses adapters whose records were made with a prediction that is not there', async () => {
    const folder = newFolder();
    const { prediction, ...rest } = adapters;
    expect(prediction).toBeDefined();
    await saveConversation(folder, rest);
    await expect(loadConversation(folder, text.model.options)).rejects.toThrow(
      /lacks the prediction of keys and values from \d+ tokens that its records were made with\.$/,
    );
  });

  it('answers from the namespace that is asked', async () => {
    const memory = await createAgentMemory(model(), { now });
    await memory.add('My dog is called Mochi.', { namespace: 'a' });
    await memory.add('My dog is called Rufus.', { namespace: 'b' });
    const { memories } = await memory.ask('What is the name of my dog?', { namespace: 'a', maxTokens: 1 });
    expect(memories.map(({ text }) => text)).toEqual(['My dog is called Mochi.']);
    const none = await memory.ask('What is the name of my dog?', { namespace: 'c', maxTokens: 1 });
    expect([none.memories, none.positions]).toEqual([[], 0]);
  });

  it('takes what was written by words alone', async () => {
    const folder = newFolder();
    const words = await createAgentMemory('none', { folder, now });
    await words.add('My dog is called Mochi.');
    await words.close();
    const memory = await createAgentMemory(model(), { folder, now });
    expect((await memory.search('What is the name of my dog?'))[0]!.text).toBe('My dog is called Mochi.');
    await memory.close();
  });
});
