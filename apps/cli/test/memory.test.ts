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
    expect((await run('list', '--where', 'kind=pet')).stdout).not.toContain('Rufus');
  });

  it.each([
    [['forget', '7'], "There is no memory 7; 'memory list' shows all."],
    [['add', ''], 'Give the text to remember.'],
    [['ask', 'Who?'], 'this memory has none; use search'],
    [['search', 'dog', '--where', 'pet'], '--where takes pairs as in kind=pet'],
    [['search', 'dog', '--model', 'folder'], 'needs both --model and --adapters'],
  ])('%j is refused in one sentence with code 2', async (words, message) => {
    const { code, stderr } = await palimpsest(['memory', ...words], { cwd: emptyFolder() });
    expect(code).toBe(2);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain(' at ');
  });
});
