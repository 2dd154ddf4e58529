import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { emptyFolder, palimpsest } from './support/cli.js';
import { trainedRun } from './support/trained.js';

let run: string;
beforeAll(async () => {
  run = await trainedRun();
});

/** Types lines into a chat; returns what was printed after each prompt. */
async function chat(lines: readonly string[], ...flags: string[]) {
  const cwd = emptyFolder();
  const { code, stdout, stderr } = await palimpsest(
    ['chat', run, '--greedy', '--max-new-tokens', '8', ...flags],
    {
      input: lines.map((line) => `${line}\n`).join(''),
      cwd,
    },
  );
  expect(code).toBe(0);
  return {
    replies: stdout
      .split('>> ')
      .slice(1)
      .map((reply) => reply.trimEnd()),
    stderr,
    cwd,
  };
}

describe('palimpsest chat', () => {
  it('keeps one memory of constant size from line to line, and forgets on :reset', async () => {
    const { replies, stderr } = await chat(['hello', ':state', 'again', ':state', ':reset', ':state']);
    const [, first, , second, , third] = replies;
    expect(first).toMatch(/^position 13, \d+ bytes of memory\n {2}\S+ \[1.*\]: norm \d/);
    expect(second).toMatch(/^position 26, /);
    expect(third).toMatch(/^position 0, /);
    const bytes = [first, second, third].map((text) => /(\d+) bytes/.exec(text!)![1]);
    expect(new Set(bytes).size).toBe(1);
    expect(stderr).toContain(`${bytes[0]} bytes of memory`);
  });

  it('goes back to a saved memory: the same line gets the same reply', async () => {
    const lines = [
      'hello world',
      ':save memory.bin',
      ', it',
      'something else',
      ':load memory.bin',
      ', it',
      ':state',
    ];
    const { replies, cwd } = await chat(lines);
    expect(existsSync(join(cwd, 'memory.bin'))).toBe(true);
    expect(replies[5]).toBe(replies[2]);
    expect(replies[6]).toMatch(/^position 31, /);
  });

  it('keeps memories by name and goes back to them: the same line gets the same reply', async () => {
    const lines = [
      'hello world',
      ':snapshot here',
      ', it',
      ':snapshot',
      ':restore here',
      ', it',
      ':restore',
      ':restore nowhere',
    ];
    const { replies } = await chat(lines);
    expect(replies[1]).toBe("Kept position 19 as 'here'.");
    expect(replies[5]).toBe(replies[2]);
    expect(replies[6]).toBe('Went back to position 31.');
    expect(replies[7]).toBe("No memory is kept as 'nowhere'; there are 'here', 'latest'.");
  });

  it('forks: what follows is drawn anew, and the memory before it is kept', async () => {
    const lines = ['hello world', ':temp 1', ':fork', ', it', ':restore', ', it', ':restore', ', it'];
    const { replies } = await chat(lines);
    expect(replies[2]).toBe("Kept position 19 as 'latest'; what follows is drawn anew.");
    expect(replies[7]).toBe(replies[5]);
    expect(replies[3]).not.toBe(replies[5]);
  });

  it('starts every line afresh without conversation', async () => {
    const { replies } = await chat(
      ['hello', 'hello', ':conversation on', 'hello', ':state'],
      '--no-conversation',
    );
    expect(replies[1]).toBe(replies[0]);
    expect(replies[4]).toMatch(/^position 26, /);
  });

  it('changes the sampling, explains its commands and survives wrong ones', async () => {
    const lines = [
      ':temp 0.5',
      ':topk 3',
      ':topp 0.9',
      ':greedy',
      ':help',
      ':temp hot',
      ':topp 2',
      ':load none',
      ':nonsense',
    ];
    const { replies } = await chat(lines);
    expect(replies.slice(0, 4)).toEqual([
      'temperature is 0.5.',
      'topK is 3.',
      'topP is 0.9.',
      'Greedy: temperature is 0.',
    ]);
    expect(replies[4]).toMatch(/^:reset[\s\S]*:quit/);
    expect(replies[5]).toContain("'hot'");
    expect(replies[6]).toContain('topP');
    expect(replies[7]).toContain("'none' cannot be read");
    expect(replies[8]).toBe("There is no command ':nonsense'; :help lists them.");
  });

  it('leaves on :quit without reading on', async () => {
    const { replies } = await chat(['hello', ':quit', 'never read']);
    expect(replies).toHaveLength(2);
  });
});
