import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { emptyFolder, palimpsest } from './support/cli.js';

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
