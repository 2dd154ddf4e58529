import { readdirSync } from 'node:fs';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { describe, expect, it } from 'vitest';
import { emptyFolder, palimpsest, program } from './support/cli.js';

describe('palimpsest memory', () => {
  it('remembers from one call to the next, finds, lists, exports and forgets', async () => {
    const cwd = emptyFolder();
    const run = (...words: string[]) => palimpsest(['memory', ...words], { cwd });
    expect((await run('add', 'My dog is called Rufus.', '--metadata', 'kind=pet')).stdout).toContain(
      'remembered as 0',
    );
    expect((await run('add', 'The locker opens with 4580.', '--namespace', 'work')).stdout).toContain(
      'remembered as 1',
    );
    expect((await run('add', 'my dog is called Rufus.')).stdout).toContain('known as 0');
    expect((await run('search', 'what is my dog called')).stdout).toContain('My dog is called Rufus.');
    const listed = JSON.parse((await run('list', '--namespace', 'work', '--json')).stdout);
    expect(listed).toMatchObject([{ id: 1, text: 'The locker opens with 4580.' }]);
    const lines = (await run('export')).stdout.trim().split('\n');
    expect(lines.map((line) => JSON.parse(line).id)).toEqual([0, 1]);
    expect((await run('forget', '0')).code).toBe(0);
    expect(await run('forget', '7')).toMatchObject({
      code: 2,
      stderr: "error: There is no memory 7; 'memory list' shows all.\n",
    });
    expect((await run('search', 'dog', '--where', 'pet')).stderr).toContain(
      '--where takes pairs as in kind=pet',
    );
    expect((await run('ask', 'Who?')).stderr).toContain('this memory has none; use search');
    expect((await run('list', '--where', 'kind=pet')).stdout).not.toContain('Rufus');
  });

  it.each([
    [['search', 'dog'], "There is no memory in 'memory' (--folder); `palimpsest memory add` begins one."],
    [['search', 'dog', '--folder', '.'], "There is no memory in '.'"],
    [['list', '--folder', 'elsewhere'], "There is no memory in 'elsewhere'"],
    [['add', ''], 'Give the text to remember.'],
    [['ask', 'Who?'], "There is no memory in 'memory'"],
    [['add', 'dog', '--metadata', 'pet'], '--metadata takes pairs as in kind=pet'],
    [['add', 'dog', '--model', 'folder'], 'needs both --model and --adapters'],
  ])('%j is refused in one sentence with code 2', async (words, message) => {
    const cwd = emptyFolder();
    const { code, stderr } = await palimpsest(['memory', ...words], { cwd });
    expect(code).toBe(2);
    if (words[0] !== 'add') expect(readdirSync(cwd)).toEqual([]);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain(' at ');
  });
});

describe('palimpsest memory serve', () => {
  it('serves the official client over standard input, call beside call, and keeps what it was told', async () => {
    const cwd = emptyFolder();
    const open = async () => {
      const client = new Client({ name: 'test', version: '1.0.0' });
      const args = [program, 'memory', 'serve', '--folder', 'kept'];
      await client.connect(new StdioClientTransport({ command: process.execPath, args, cwd }));
      return client;
    };
    const texts = Array.from({ length: 20 }, (_, i) => `The locker ${i} opens with ${4580 + i}.`);
    const first = await open();
    const added = await Promise.all(
      texts.map((text) => first.callTool({ name: 'memory_add', arguments: { text } })),
    );
    expect(added.map(({ structuredContent }) => structuredContent)).toEqual(
      texts.map((_, id) => ({ id, known: false })),
    );
    await first.close();
    const again = await open();
    const { structuredContent } = await again.callTool({ name: 'memory_list', arguments: {} });
    expect(structuredContent).toMatchObject({ memories: texts.map((text, id) => ({ id, text })) });
    await again.close();
    // The server is gone with its client, and the folder is free.
    expect((await palimpsest(['memory', 'list', '--folder', 'kept'], { cwd })).code).toBe(0);
  });

  it('ends when its input does', async () => {
    const { code, stderr } = await palimpsest(['memory', 'serve'], { cwd: emptyFolder() });
    expect([code, stderr]).toEqual([0, '']);
  });
});
