import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { HuggingFaceTokenizer, type JsonObject } from '../../src/index.js';

const folder = new URL('../golden/tokenizers/', import.meta.url);
const readJson = <T>(path: string): T => JSON.parse(readFileSync(new URL(path, folder), 'utf8')) as T;

interface Row {
  readonly text: string;
  readonly ids: readonly number[];
  readonly decoded: string;
}

/** Ids and texts as the Rust library gives them. */
function expectRows(tokenizer: HuggingFaceTokenizer, rows: readonly Row[], skipSpecialTokens: boolean): void {
  for (const { text, ids, decoded } of rows) {
    expect([...tokenizer.encode(text)], JSON.stringify(text)).toEqual(ids);
    expect(tokenizer.decode(ids, { skipSpecialTokens }), JSON.stringify(ids)).toBe(decoded);
  }
}

const kinds = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());

describe.each(kinds.map(({ name }) => name))('%s', (kind) => {
  const right = readJson<Record<string, Row[]>>(`${kind}/right.json`);
  it.each(Object.keys(right))('%s', (file) => {
    expectRows(new HuggingFaceTokenizer(readJson<JsonObject>(`${kind}/${file}`)), right[file]!, true);
  });
});

/** Models with random normalisers, pre-tokenizers, added tokens and decoders of every type. */
describe('components', () => {
  const { models, cases } = readJson<{
    models: Record<string, JsonObject>;
    cases: { model: string; parts: JsonObject; rows: Row[] }[];
  }>('components.json');
  it.each(cases.map((entry, index) => [index, entry.model, entry] as const))(
    '%i, %s',
    (_index, _model, entry) => {
      const tokenizer = new HuggingFaceTokenizer({ ...entry.parts, model: models[entry.model]! });
      expectRows(tokenizer, entry.rows, false);
    },
  );
});

describe('a text without a pre-tokenizer', () => {
  const vocab = Object.fromEntries(
    ['▁', 'a', 'b', 'ab', '▁a', '▁ab', '<unk>'].map((token, id) => [token, id]),
  );
  const model = {
    type: 'BPE',
    vocab,
    merges: ['a b', '▁ a', '▁ ab'],
    unk_token: '<unk>',
    fuse_unk: true,
  };
  const normalizer = { type: 'Replace', pattern: { String: ' ' }, content: '▁' };

  it('has the ids of its parts, however long it is, and unknown characters are one across them', () => {
    const tokenizer = new HuggingFaceTokenizer({ model, normalizer });
    const word = [...tokenizer.encode(' abbb')];
    expect(word).toEqual([5, 2, 2]);
    const long = [...tokenizer.encode(` abbb${'日'.repeat(300)}`.repeat(100))];
    expect(long).toEqual(Array.from({ length: 100 }, () => [...word, 6]).flat());
  });

  it('costs little more than its length, even where every character may merge with the next', () => {
    const tokenizer = new HuggingFaceTokenizer({ model });
    const ids = tokenizer.encode('ab'.repeat(200_000));
    expect(ids.length).toBe(200_000);
    expect(new Set(ids)).toEqual(new Set([3]));
  });
});
