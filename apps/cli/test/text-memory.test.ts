import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openLanguageModel, standardRegistry } from '@palimpsest/harness';
import { CharacterTokenizer } from '@palimpsest/lm';
import { beforeAll, describe, expect, it } from 'vitest';
import { Recollection } from '../src/chat/recollection.js';
import { emptyFolder, palimpsest } from './support/cli.js';
import { trainedRun } from './support/trained.js';

const DOG = 'my dog is called rufus';
const LOCKER = 'the locker opens with a key';
const QUESTION = 'what is my dog called?';

/** A copy of a tiny checkpoint that has a chat template. */
function withTemplate(name: string): string {
  const folder = join(emptyFolder(), name);
  const golden = new URL(`../../../packages/backbone/test/golden/hf/${name}`, import.meta.url);
  cpSync(fileURLToPath(golden), folder, { recursive: true });
  const template =
    "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}{{ '<|eot_id|>' }}{% endfor %}";
  const config = { bos_token: '<|begin_of_text|>', eos_token: '<|eot_id|>', chat_template: template };
  writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify(config));
  return folder;
}

describe('what stands before a turn', () => {
  const tokenizer = CharacterTokenizer.fromText('abcdefghijklmnopqrstuvwxyz ?.\n');
  const [ams] = standardRegistry.textMemories;
  const open = async (folder: string, options: { budget?: number; sight?: number; heading?: string } = {}) =>
    new Recollection({
      memory: await ams!.open(folder),
      folder,
      tokenizer,
      budget: 100,
      sight: 50,
      ...options,
    });
  const alone = { position: 0, fresh: true };

  it('is what was said in an earlier process, and never the turn itself', async () => {
    const folder = emptyFolder();
    const first = await open(folder);
    expect(await first.before(DOG, alone)).toBe('');
    expect(await first.before(LOCKER, alone)).toBe('');
    await first.close();
    const second = await open(folder);
    expect(await second.before(QUESTION, alone)).toBe(`${DOG}\n`);
    expect(await second.before(QUESTION.toUpperCase(), alone)).toBe(`${DOG}\n`);
    await second.close();
    const headed = await open(folder, { heading: 'before' });
    expect(await headed.before('which dog', alone)).toContain(`before\n${DOG}\n`);
    await headed.close();
  });

  it('fits into the budget: the best first, in the order in which they were told', async () => {
    const texts = ['dog one', 'dog dog dog is much longer', 'dog two'];
    const folder = emptyFolder();
    const told = await open(folder);
    for (const text of texts) await told.before(text, alone);
    await told.close();
    const room = (budget: number) => open(folder, { budget });
    const none = await room(7);
    expect(await none.before('of a dog', alone)).toBe('');
    expect(none.last).toEqual({ texts: [], tokens: 0 });
    await none.close();
    const both = await room(17);
    expect(await both.before('a dog', alone)).toBe('dog one\ndog two\n');
    expect(both.last.tokens).toBe(16);
    await both.close();
  });

  it('is put there again only when it is out of sight', async () => {
    const memory = await open(emptyFolder());
    await memory.before(DOG, { position: 0, fresh: false });
    expect(await memory.before(QUESTION, { position: 30, fresh: false })).toBe('');
    expect(await memory.before('dog?', { position: 60, fresh: false })).toBe(`${DOG}\n`);
    expect(await memory.before('a dog', { position: 70, fresh: false })).toBe('');
    memory.forget();
    expect(await memory.before('the dog', { position: 75, fresh: false })).toContain(DOG);
    await memory.close();
  });
});

describe('--memory ams of a model with adapters', () => {
  const cwd = emptyFolder();
  const flags = ['--memory', 'ams', '--memory-folder', 'notes', '--greedy', '--max-new-tokens', '12'];
  const talk = async (lines: readonly string[], ...more: string[]) => {
    const input = lines.map((line) => `${line}\n`).join('');
    const { code, stdout } = await palimpsest(['chat', 'session', ...flags, ...more], { input, cwd });
    expect(code).toBe(0);
    return stdout
      .split('>> ')
      .slice(1)
      .map((reply) => reply.trim());
  };

  it('puts keys and values before the line, from one process to the next, and shows of what', async () => {
    await talk(['My dog is called Rufus.', 'My sister plays the harmonica.']);
    const [answer, found, state] = await talk(['What is my dog called?', ':memories', ':state']);
    expect(answer).toContain('Rufus');
    const [first, total] = found!.split('\n');
    expect(first).toMatch(/^0 {2}\d\.\d\d {2}My dog is called Rufus\.$/);
    const positions = Number(/^1 of 2 texts in 'notes', (\d+) of 64 tokens$/.exec(total!)![1]);
    // The model has read the question in its form and its own answer, but nothing of the memory.
    const { tokenizer } = await openLanguageModel('session');
    const asked = tokenizer.encode('User: What is my dog called?\nAssistant:').length;
    const position = Number(/^position (\d+), /.exec(state!)![1]);
    expect(position).toBeGreaterThanOrEqual(positions + asked);
    expect(position).toBeLessThanOrEqual(positions + asked + 12);
  });

  it('ends an answer where another line would begin', async () => {
    const [answer] = await talk(['What is my dog called?'], '--max-new-tokens', '60');
    expect(answer).toContain('Rufus');
    expect(answer).not.toContain('User');
    const prompt = ['--prompt', 'What is my dog called?', '--json', '--max-new-tokens', '60'];
    const { stdout } = await palimpsest(['generate', 'session', ...flags, ...prompt], { cwd });
    expect(JSON.parse(stdout).text).not.toContain('User');
  });

  it('keeps no questions, and takes no more positions than it may, but for the best memory', async () => {
    const listed = await palimpsest(['memory', 'list', '--json', '--folder', 'notes'], { cwd });
    expect(JSON.parse(listed.stdout)).toHaveLength(2);
    const found = (await talk(['Does my sister play?', ':memories'], '--budget', '5'))[1]!;
    expect(found.split('\n').at(-1)).toMatch(/ of 5 tokens$/);
    const alone = (await talk(['Tell me about my dog.', ':memories'], '--memory-folder', 'new'))[1];
    expect(alone).toBe("0 of 1 texts in 'new', 0 of 64 tokens");
  });

  it('generates behind what it finds', async () => {
    const prompt = ['--prompt', 'What is my dog called?', '--json'];
    const { stdout } = await palimpsest(['generate', 'session', ...prompt, ...flags], { cwd });
    expect(JSON.parse(stdout)).toMatchObject({
      text: expect.stringContaining('Rufus'),
      memories: [{ id: 0, text: 'My dog is called Rufus.' }],
    });
  });

  it.each([
    [['--adapters', 'nowhere', '--memory', 'ams'], "'nowhere' holds no adapters of a memory"],
    [['--adapters', 'nowhere'], '--adapters belongs to a memory of texts'],
  ])('%j is refused in one sentence with code 2', async (more, message) => {
    const { code, stderr } = await palimpsest(['chat', 'session', ...more], { cwd });
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(message) });
  });
});

describe('--memory ams', () => {
  let run: string;
  beforeAll(async () => {
    run = await trainedRun();
  });
  const cwd = emptyFolder();
  const greedy = ['--greedy', '--max-new-tokens', '12'];
  const chat = async (lines: readonly string[], ...flags: string[]) => {
    const input = lines.map((line) => `${line}\n`).join('');
    const { code, stdout, stderr } = await palimpsest(['chat', run, ...greedy, ...flags], { input, cwd });
    expect({ code, stderr: stderr.replace(/^.*:help lists the commands\.\n/, '') }).toEqual({
      code: 0,
      stderr: '',
    });
    return stdout
      .split('>> ')
      .slice(1)
      .map((reply) => reply.trimEnd());
  };

  it('remembers from one chat to the next, reads what it finds, and shows it', async () => {
    const flags = ['--memory', 'ams', '--memory-folder', 'notes', '--budget', '60'];
    const first = await chat([DOG, ':state', ':memories', ':reset'], ...flags);
    expect(first[1]).toMatch(new RegExp(`^position ${DOG.length + 12}, `));
    expect(first[2]).toBe("0 of 1 texts in 'notes', 0 of 60 tokens");
    expect(first[3]).toBe("The memory is empty, but for 1 texts in 'notes'.");
    const second = await chat([QUESTION, ':state', ':memories'], ...flags);
    expect(second[1]).toMatch(new RegExp(`^position ${DOG.length + 1 + QUESTION.length + 12}, `));
    expect(second[2]).toMatch(
      new RegExp(`^0 {2}\\d\\.\\d\\d {2}${DOG}\n1 of 2 texts in 'notes', ${DOG.length + 1} of 60 tokens$`),
    );
    expect(readFileSync(join(cwd, 'notes', 'memory.jsonl'), 'utf8')).toContain(DOG);
  });

  it('continues a prompt as if what was found stood before it', async () => {
    const generate = async (prompt: string, ...flags: string[]) =>
      JSON.parse(
        (await palimpsest(['generate', run, '--prompt', prompt, '--json', ...greedy, ...flags], { cwd }))
          .stdout,
      );
    const ams = ['--memory', 'ams'];
    expect(await generate(DOG, ...ams)).toMatchObject({ memories: [] });
    const answer = await generate(QUESTION, ...ams);
    expect(answer).toMatchObject({ prompt: QUESTION, memories: [{ id: 0, text: DOG }] });
    expect(answer.text).toBe((await generate(`${DOG}\n${QUESTION}`)).text);
    const listed = JSON.parse((await palimpsest(['memory', 'list', '--json'], { cwd })).stdout);
    expect(listed.map(({ text }: { text: string }) => text)).toEqual([DOG, QUESTION]);
  });

  it.each([
    [['chat', '--memory-folder', 'notes'], '--memory-folder belongs to a memory of texts'],
    [['chat', '--memory', 'ams', '--sinks', '4'], "The memory 'ams' has no option --sinks; leave it away."],
    [['score', '--memory', 'ams', '--text-path', 'stories'], "The memory 'ams' keeps what is said"],
    [['chat', '--memory', 'amz'], "There is no memory 'amz' (did you mean 'ams'?)"],
  ])('%j is refused in one sentence with code 2', async ([verb, ...flags], message) => {
    const folder = emptyFolder();
    const { code, stderr } = await palimpsest([verb!, run, ...flags], { cwd: folder });
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(message) });
  });

  it('puts what it finds into the turn of a model with a chat template', async () => {
    const model = withTemplate('tiny-llama3');
    const { tokenizer, chatTemplate } = await openLanguageModel(model);
    const folder = emptyFolder();
    const talk = async (...lines: string[]) => {
      const input = lines.map((line) => `${line}\n`).join('');
      const args = ['chat', '--model', model, '--memory', 'ams', '--no-conversation', '--quiet', ...greedy];
      return (await palimpsest([...args, '--max-new-tokens', '1'], { input, cwd: folder })).stdout.split(
        '>> ',
      );
    };
    await talk(DOG, LOCKER);
    const [, , state] = await talk(QUESTION, ':state');
    const content = `What was said before:\n${DOG}\n\n${QUESTION}`;
    const read = tokenizer.encode(chatTemplate!.render([{ role: 'user', content }]));
    expect(state).toMatch(new RegExp(`^position ${read.length + 1}, `));
  });

  it('tells that chat keeps no texts without it', async () => {
    expect(await chat([':memories'])).toEqual(['No texts are kept; begin the chat with --memory ams.', '']);
  });
});
