import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputError } from '@palimpsest/base';
import { afterAll, describe, expect, it } from 'vitest';
import { loadCorpus } from '../../src/index.js';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'palimpsest-lm-files-')));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;

/** A file with some contents in a folder of its own. */
function file(name: string, contents: string | Uint8Array): string {
  count += 1;
  const folder = join(root, String(count));
  mkdirSync(folder);
  writeFileSync(join(folder, name), contents);
  return join(folder, name);
}

function messageOf(path: string, layout?: 'stories'): string {
  try {
    loadCorpus(path, layout);
    return 'accepted';
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    return (error as Error).message.replaceAll(root, '');
  }
}

describe('symbolic links', () => {
  it('count as the files and folders that they point to', () => {
    const folder = join(root, 'links');
    mkdirSync(join(folder, 'store'), { recursive: true });
    mkdirSync(join(folder, 'data'));
    writeFileSync(join(folder, 'store/a'), 'first');
    writeFileSync(join(folder, 'data/b.txt'), 'second');
    symlinkSync('../store/a', join(folder, 'data/a.txt'));
    symlinkSync('..', join(folder, 'data/up'));
    symlinkSync('../data', join(folder, 'store/sub'));
    expect(loadCorpus(join(folder, 'data')).documents).toEqual(['first\n', 'second\n']);
    expect(loadCorpus(join(folder, 'store')).documents).toEqual(['first\n', 'second\n']);
    symlinkSync('nowhere', join(folder, 'data/c.txt'));
    expect(messageOf(join(folder, 'data'))).toBe(
      "'/links/data/c.txt' is a link that points to nothing; mend or remove it.",
    );
  });
});

it('links that lead in a circle are told', () => {
  const folder = join(file('a.txt', 'text'), '..');
  symlinkSync('round.txt', join(folder, 'round.txt'));
  for (const path of [folder, join(folder, 'round.txt')]) {
    expect(messageOf(path)).toMatch(/round\.txt' cannot be read: symbolic links lead in a circle\.$/);
  }
});

it.each([
  ['compressed by gzip', [0x1f, 0x8b, 8, 0]],
  ['compressed by zstd', [0x28, 0xb5, 0x2f, 0xfd, 0]],
  ['a PDF', [...Buffer.from('%PDF-1.7\n')]],
  ['a zip archive or a document in one', [0x50, 0x4b, 3, 4, 0]],
])('a file that is %s is called so', (what, bytes) => {
  expect(messageOf(file('a.txt', Buffer.from(bytes)))).toContain(`is ${what}, but texts are UTF-8`);
});

it('copies that notebooks and macOS leave do not count', () => {
  const path = file('a.txt', 'text');
  const folder = join(path, '..');
  mkdirSync(join(folder, '.ipynb_checkpoints'));
  writeFileSync(join(folder, '.ipynb_checkpoints/a-checkpoint.txt'), 'copy');
  writeFileSync(join(folder, '._a.txt'), 'attributes');
  expect(loadCorpus(folder).documents).toEqual(['text']);
});

describe('JSON under the layout of stories', () => {
  const stories = ['Once there was a fox.\n', 'A crow found a "bright" stone.\nIt was glad.\n'];
  it.each([
    [
      'an array of objects with a story',
      JSON.stringify(stories.map((story) => ({ story: `\n${story}`, source: 'x' }))),
    ],
    [
      'an array of objects with a text',
      JSON.stringify(
        stories.map((text) => ({ text })),
        null,
        2,
      ),
    ],
    ['an array of texts', JSON.stringify(stories)],
    ['lines of objects with a story', stories.map((story) => JSON.stringify({ story })).join('\n')],
  ])('%s', (_what, contents) => {
    expect(loadCorpus(file('stories.json', contents), 'stories').documents).toEqual(stories);
  });

  it('is refused when it holds no stories', () => {
    expect(messageOf(file('a.json', '[{"title": "x"}]'), 'stories')).toMatch(
      /^The file '.*a\.json': Story 1 is no JSON object with a text in its field 'text' or 'story'\.$/,
    );
    expect(messageOf(file('a.json', '[{"story": "x"}'), 'stories')).toContain('JSON array, which breaks off');
  });

  it('is not seen in a text that begins with a bracket', () => {
    expect(loadCorpus(file('a.txt', '[Enter HAMLET] To be.'), 'stories').documents).toEqual([
      '[Enter HAMLET] To be.',
    ]);
  });
});

describe('texts that are not UTF-8', () => {
  it('are told where they stop being it', () => {
    const start = Buffer.from('first line\nsecond é');
    expect(messageOf(file('a.txt', start.subarray(0, -1)))).toMatch(
      /ends inside a character, which begins at byte 18: it was cut off; leave out the last 1 bytes/,
    );
    expect(messageOf(file('a.txt', Buffer.concat([start, Buffer.from([0xff]), start])))).toMatch(
      /is not UTF-8 text: byte 20, in line 2, begins no character/,
    );
  });

  it('are told to be UTF-16, with a mark or without', () => {
    const wide = Buffer.from('a wide text', 'utf16le');
    expect(messageOf(file('a.txt', Buffer.concat([Buffer.from([0xff, 0xfe]), wide])))).toContain('is UTF-16');
    expect(messageOf(file('a.txt', wide))).toMatch(/has a NUL at byte 1, as UTF-16 without a mark/);
  });

  it('are read past a byte order mark', () => {
    expect(loadCorpus(file('a.txt', '\ufefftext')).documents).toEqual(['text']);
  });

  it('are told to be pointers of Git LFS', () => {
    const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 7\n';
    expect(messageOf(file('a.txt', pointer))).toContain('is a pointer of Git LFS, not the file of 7 bytes');
  });
});
