import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CharacterTokenizer, readTokenizer } from '../../src/index.js';

const folder = mkdtempSync(join(tmpdir(), 'palimpsest-tokenizer-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A byte-level BPE file as GPT-2 has it: Ġ is the blank, the end token is an added one. */
const gpt2 = {
  version: '1.0',
  added_tokens: [
    {
      id: 5,
      content: '<|endoftext|>',
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    },
  ],
  normalizer: null,
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true },
  post_processor: null,
  decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true },
  model: {
    type: 'BPE',
    dropout: null,
    unk_token: null,
    vocab: { a: 0, b: 1, Ġ: 2, ab: 3, Ġab: 4, '<|endoftext|>': 5 },
    merges: ['a b', 'Ġ ab'],
  },
};

describe('readTokenizer', () => {
  it('reads GPT-2 byte pairs from a file or its folder, and finds the end token', () => {
    writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(gpt2));
    for (const path of [folder, join(folder, 'tokenizer.json')]) {
      const tokenizer = readTokenizer(path);
      expect([...tokenizer.encode('ab ab b')]).toEqual([3, 4, 2, 1]);
      expect(tokenizer.decode([3, 4, 2, 1, 5])).toBe('ab ab b');
      expect(tokenizer.endId).toBe(5);
    }
  });

  it('reads past a byte order mark', () => {
    const marked = join(folder, 'marked.json');
    writeFileSync(marked, `\ufeff${JSON.stringify(gpt2)}`);
    expect([...readTokenizer(marked).encode('ab ab')]).toEqual([3, 4]);
  });

  it('reads what a checkpoint stored', () => {
    const file = join(folder, 'characters.json');
    writeFileSync(file, JSON.stringify(new CharacterTokenizer(['x', 'y'])));
    expect([...readTokenizer(file).encode('yx')]).toEqual([1, 0]);
  });

  it('says what is wrong with a file', () => {
    expect(() => readTokenizer(join(folder, 'none'))).toThrow('There is no tokenizer');
    const broken = join(folder, 'broken.json');
    writeFileSync(broken, 'no json');
    expect(() => readTokenizer(broken)).toThrow(`${broken} is not JSON`);
    writeFileSync(broken, '[]');
    expect(() => readTokenizer(broken)).toThrow('holds no JSON object');
    writeFileSync(broken, 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 7\n');
    expect(() => readTokenizer(broken)).toThrow(`${broken} is a pointer of Git LFS`);
    writeFileSync(broken, JSON.stringify({ ...gpt2, model: { ...gpt2.model, merges: [7] } }));
    expect(() => readTokenizer(broken)).toThrow(`${broken}: The tokenizer's 'model.merges[0]' is 7`);
    writeFileSync(broken, JSON.stringify({ ...gpt2, model: { ...gpt2.model, vocab: { a: 0, b: 1e5 } } }));
    expect(() => readTokenizer(broken)).toThrow(
      `"b" the id 100000, far outside of a vocabulary of 2 entries`,
    );
  });
});
