import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { describeFolder, loadPretrained } from '../src/index.js';
import { copyOf, editJson } from './checkpoint-copies.js';
import { type ModelOptions, message, modelOf, type Piece, texts } from './sentence-piece-model.js';

/** A folder whose tokenizer stands in other files than tokenizer.json. */
function folderWith(name: string, files: Record<string, Uint8Array | string | object>): string {
  const folder = copyOf(name);
  rmSync(join(folder, 'tokenizer.json'));
  for (const [file, content] of Object.entries(files)) {
    const isRaw = typeof content === 'string' || content instanceof Uint8Array;
    writeFileSync(join(folder, file), isRaw ? content : JSON.stringify(content));
  }
  return folder;
}

const tokenizerOf = async (folder: string) => (await loadPretrained(folder)).tokenizer!;
const messageOf = (folder: string) =>
  describeFolder(folder).then(
    () => 'accepted',
    (error: Error) => `${error.name}: ${error.message.replaceAll(folder, 'F')}`,
  );

/** What the library says of an unknown character when it decodes; here the unknown token is left out. */
const UNKNOWN = ' \u2047 ';

describe('tokenizer.model', () => {
  // Ids and texts are those that sentencepiece 0.2.3 (Python) gives for the same models.
  const cases: { name: string; options: ModelOptions; texts: [string, number[], string][] }[] = [
    {
      name: 'bpe, bytes, prefix',
      options: { kind: 2, bytes: true, prefix: true, removes: false },
      texts: [
        ['', [], ''],
        [
          'the ship sails over the sea',
          [261, 266, 269, 281, 271, 287, 270, 261, 275],
          'the ship sails over the sea',
        ],
        [' the  ship  ', [277, 261, 277, 266, 276], ' the  ship  '],
        ['  ', [276, 277], '  '],
        [
          'the héron 船船x sea',
          [261, 277, 279, 198, 172, 288, 286, 113, 277, 235, 139, 188, 235, 139, 188, 123, 275],
          'the héron 船船x sea',
        ],
        ['ships\n\nthe sea', [266, 281, 13, 13, 278, 279, 280, 275], 'ships\n\nthe sea'],
        ['a▁the▁', [277, 284, 261, 277], 'a the '],
      ],
    },
    {
      name: 'bpe, unknown, blanks removed',
      options: { kind: 2, bytes: false, prefix: true, removes: true },
      texts: [
        ['', [], ''],
        ['the ship sails over the sea', [5, 10, 13, 25, 15, 31, 14, 5, 19], 'the ship sails over the sea'],
        [' the  ship  ', [5, 10], 'the ship'],
        ['  ', [], ''],
        ['the héron 船船x sea', [5, 21, 23, 0, 32, 30, 0, 21, 0, 19], 'the h ⁇ ro ⁇   ⁇  sea'],
        ['ships\n\nthe sea', [10, 25, 0, 22, 23, 24, 19], 'ships ⁇ the sea'],
        ['a▁the▁', [21, 28, 5], 'a the'],
      ],
    },
    {
      name: 'bpe, no prefix',
      options: { kind: 2, bytes: true, prefix: false, removes: false },
      texts: [
        ['', [], ''],
        [
          'the ship sails over the sea',
          [278, 279, 280, 266, 269, 281, 271, 287, 270, 261, 275],
          'the ship sails over the sea',
        ],
        [' the  ship  ', [261, 277, 266, 276], ' the  ship  '],
        ['  ', [276], '  '],
        [
          'the héron 船船x sea',
          [278, 279, 280, 277, 279, 198, 172, 288, 286, 113, 277, 235, 139, 188, 235, 139, 188, 123, 275],
          'the héron 船船x sea',
        ],
        ['ships\n\nthe sea', [263, 264, 281, 13, 13, 278, 279, 280, 275], 'ships\n\nthe sea'],
        ['a▁the▁', [284, 261, 277], 'a the '],
      ],
    },
    {
      name: 'unigram, bytes, prefix',
      options: { kind: 1, bytes: true, prefix: true, removes: true },
      texts: [
        ['', [], ''],
        ['the ship sails over the sea', [261, 266, 269, 281, 273, 261, 275], 'the ship sails over the sea'],
        [' the  ship  ', [261, 266], 'the ship'],
        ['  ', [], ''],
        [
          'the héron 船船x sea',
          [261, 277, 279, 198, 172, 288, 286, 113, 277, 235, 139, 188, 235, 139, 188, 123, 275],
          'the héron 船船x sea',
        ],
        ['ships\n\nthe sea', [266, 281, 13, 13, 278, 279, 280, 275], 'ships\n\nthe sea'],
        ['a▁the▁', [277, 284, 261], 'a the'],
      ],
    },
    {
      name: 'unigram, unknown, no prefix',
      options: { kind: 1, bytes: false, prefix: false, removes: false },
      texts: [
        ['', [], ''],
        ['the ship sails over the sea', [22, 23, 24, 10, 13, 25, 17, 5, 19], 'the ship sails over the sea'],
        [' the  ship  ', [5, 21, 10, 20], ' the  ship  '],
        ['  ', [20], '  '],
        ['the héron 船船x sea', [22, 23, 24, 21, 23, 0, 32, 30, 0, 21, 0, 19], 'the h ⁇ ro ⁇   ⁇  sea'],
        ['ships\n\nthe sea', [7, 8, 25, 0, 22, 23, 24, 19], 'ships ⁇ the sea'],
        ['a▁the▁', [28, 5, 21], 'a the '],
      ],
    },
  ];
  it.each(cases)('gives the ids of the library: $name', async ({ options, texts: expected }) => {
    const tokenizer = await tokenizerOf(folderWith('tiny-llama3', { 'tokenizer.model': modelOf(options) }));
    for (const [text, ids, decoded] of expected) {
      expect([...tokenizer.encode(text)], text).toEqual(ids);
      expect(tokenizer.decode(ids), text).toBe(decoded.replaceAll(UNKNOWN, ''));
    }
  });

  it('reads its map of characters', async () => {
    // Made by sentencepiece 0.2.3 of the rules A to a, \ufb01 to fi, e with U+0301 to \u00e9; ids and texts are the library's.
    const map = inflateRawSync(
      Buffer.from(
        'HdJ1kNdFGAfgLzXDUNKciOTQLSDdDdJIh9TRIiEdR3eDdNedHEN3CBwYcIQCBgLSqCjd/fzY2Wc/O7PvP+/sG8QPrDhBxaShDCJiw+IGIxMEgR0RHbiXDZxBREKPiUlEqDQJH5CMFCQnFSlJQ2rSkZYPCeMj0vMxGchERrKQmWxkJTudIuMFOWUOcpOLvOQhP/koSAEKU4gifEIxilKcTylJCUpTCi0FZShPOSpSgcpUoipVqE41alKD2tSiDp9Rj7o0oD6NaMjnNKYpTWhOM1rSgta0oi1taMcXdKB9qHc60plwutKF7nSjJz3oxZf05iv60oev6ccA+jOIgQxhMMMYygiGMzL08YxmFGMZw3jGMZEJTGYSU5nCdKYxkxnMZhZzmcM8vmEB81nEQpawmGUsZQXLWcVK1rCadawlikjW8y0biGYjdw3aZrmJrWxhO9vYyQ52s4u97GE/+/iOAxziIDEc5ihH+IHv+YkfOc4xThDLKU7yM6c5wy+c4yy/8St/8Dt/cp6LXOAvLnGFy1zjKje4zi1u8g9/c5t/+Z//Qr1zh/vc4yEPeMwjnvKE5zzjJS94zSve8ub9/IV3DWKignc=',
        'base64',
      ),
    );
    const model = modelOf({
      kind: 1,
      bytes: true,
      prefix: true,
      removes: true,
      map,
      normalizer: 'user_defined',
    });
    const tokenizer = await tokenizerOf(folderWith('tiny-llama3', { 'tokenizer.model': model }));
    const expected: [string, number[], string][] = [
      ['the shAil  ', [261, 265, 268], 'the shail'],
      [
        '\ufb01sh e\u0301 \u00e9 THE',
        [277, 105, 282, 263, 277, 198, 172, 277, 198, 172, 277, 87, 75, 72],
        'fish é é THE',
      ],
    ];
    for (const [text, ids, decoded] of expected) {
      expect([...tokenizer.encode(text)], text).toEqual(ids);
      expect(tokenizer.decode(ids)).toBe(decoded);
    }
    const named = modelOf({ kind: 2, bytes: true, prefix: true, removes: true, normalizer: 'nmt_nfkc' });
    const { warnings } = await describeFolder(folderWith('tiny-llama3', { 'tokenizer.model': named }));
    expect(warnings.join()).toContain("names the normaliser 'nmt_nfkc' and has no map of characters for it");
  });

  const plain = { kind: 2, bytes: true, prefix: true, removes: false } as const;

  it('has the special and added tokens that the files beside it state', async () => {
    // 289 ids of pieces (3 of control, 256 bytes, 30 others); 'ship' alone is 'sh' and 'ip', behind a blank it is one piece.
    const files = {
      'tokenizer.model': modelOf(plain),
      'added_tokens.json': { '<tool>': 300 },
      'special_tokens_map.json': { eos_token: { content: '</s>' }, pad_token: '<pad>' },
    };
    const folder = folderWith('tiny-llama3', files);
    editJson(folder, 'config.json', (json) => {
      delete json.eos_token_id;
    });
    const { tokenizer, endIds } = await loadPretrained(folder);
    const ids = (text: string, addSpecialTokens = false) => [
      ...tokenizer!.encode(text, { addSpecialTokens }),
    ];
    expect(ids('ship</s>ship')).toEqual([266, 2, 266]);
    expect(ids('<tool><pad>ship', true)).toEqual([1, 300, 301, 266]);
    expect(tokenizer!.decode([1, 300, 301, 266, 2])).toBe('<tool> ship');
    expect(endIds).toEqual([2]);
    const config = {
      legacy: false,
      add_bos_token: false,
      add_eos_token: true,
      added_tokens_decoder: { 302: { content: '<|x|>', special: true, rstrip: true } },
    };
    const other = await tokenizerOf(folderWith('tiny-llama3', { ...files, 'tokenizer_config.json': config }));
    expect([...other.encode('ship</s>ship<|x|> sh', { addSpecialTokens: true })]).toEqual([
      266, 2, 263, 264, 302, 263, 2,
    ]);
    const bare = folderWith('tiny-llama3', {
      ...files,
      'tokenizer_config.json': { add_prefix_space: false },
    });
    expect([...(await tokenizerOf(bare)).encode('ship')]).toEqual([263, 264]);
  });

  it('finds pieces that stand for themselves', async () => {
    const extra: Piece[] = [['<a\u2581b>', 0, 4]];
    const tokenizer = await tokenizerOf(
      folderWith('tiny-llama3', { 'tokenizer.model': modelOf({ ...plain, extra }) }),
    );
    expect([...tokenizer.encode('ship<a b>')]).toEqual([266, 289]);
    expect(tokenizer.decode([266, 289])).toBe('ship<a b>');
  });

  const whole = modelOf(plain);
  const refused = async (model: Uint8Array | string, files: Record<string, object> = {}) =>
    messageOf(folderWith('tiny-llama3', { 'tokenizer.model': model, ...files }));

  it.each([
    ['a character model', { kind: 4 }, "is a model of the kind 'char'; supported are bpe and unigram."],
    ['another kind', { kind: 9 }, "is a model of the kind '9'"],
    ['a denormaliser', { denormalizer: 'undo' }, "changes decoded texts by the denormaliser 'undo'"],
    ['blanks behind words', { blankBehind: true }, "puts blanks behind words ('treat_whitespace_as_suffix')"],
    ['no marks for blanks', { unmarked: true }, "keeps blanks unmarked ('escape_whitespaces' is off)"],
    ['a piece that is there twice', { extra: [['sh', 0, 1]] }, 'the pieces 263 and 289 are both "sh"'],
    ['an empty piece', { extra: [['', 0, 1]] }, 'it has no text for piece 289'],
    ['a piece without end', { extra: [['x'.repeat(600), 0, 1]] }, 'it has a piece 289 of 600 characters'],
    ['a score that is none', { extra: [['x', Number.NaN, 1]] }, 'it gives piece 289 the score NaN'],
    ['a type that there is not', { extra: [['x', 0, 9]] }, 'it gives piece 289 the type 9'],
    [
      'a map that is cut off',
      { map: Uint8Array.of(9, 9, 9, 9, 1) },
      "'normalizer.precompiled_charsmap' is cut off",
    ],
  ] as [string, Partial<ModelOptions>, string][])(
    '%s is refused in one sentence',
    async (_what, options, said) => {
      const sentence = await refused(modelOf({ ...plain, ...options }));
      expect(sentence).toMatch(/^InputError: F\/tokenizer\.model/);
      expect(sentence).toContain(said);
      expect(sentence).not.toContain('\n');
    },
  );

  it.each([
    ['torn in a piece', whole.subarray(0, 5), 'it is cut off'],
    ['torn in a number', whole.subarray(0, 1), 'it is cut off'],
    [
      'of a length beyond the file',
      Uint8Array.of(10, 255, 255, 255, 255, 255, 255, 255, 255, 127),
      'it is cut off',
    ],
    ['of a number without end', new Uint8Array(40).fill(255), 'it has a whole number of more than ten bytes'],
    ['of another format', 'IQ== 0\nIg== 1\n', 'it has no pieces'],
    ['without pieces', message([2, message([3, 2])]), 'it has no pieces'],
    ['of numbers in place of pieces', message([1, 7]), 'it has a number in place of piece 0'],
    [
      'of texts that are none',
      message([1, message([1, Uint8Array.of(255)])]),
      'it has bytes that are no UTF-8',
    ],
    [
      'of a type in place of a score',
      message([1, message([1, texts('x')], [2, 3])]),
      'it has no single-precision number',
    ],
    ['empty', '', 'is empty'],
    ['a web page', '<!doctype html><title>Sign in</title>', "is a web page ('Sign in')"],
  ] as [string, Uint8Array | string, string][])(
    'a file %s is refused in one sentence',
    async (_what, model, said) => {
      const sentence = await refused(model);
      expect(sentence).toMatch(/^InputError: F\/tokenizer\.model/);
      expect(sentence).toContain(said);
    },
  );

  it('added tokens and flags that cannot be are refused', async () => {
    expect(await refused(whole, { 'added_tokens.json': { '<x>': 'y' } })).toBe(
      'InputError: F/added_tokens.json: "<x>" has "y" in place of an id.',
    );
    expect(await refused(whole, { 'tokenizer_config.json': { add_bos_token: 'no' } })).toBe(
      'InputError: F/tokenizer_config.json: the key \'add_bos_token\' is "no", expected true or false.',
    );
    expect(await refused(whole, { 'tokenizer_config.json': { added_tokens_decoder: { x: 'y' } } })).toContain(
      'F/tokenizer_config.json: the key \'added_tokens_decoder\' maps "x" to "y"',
    );
    expect(await refused(whole, { 'added_tokens.json': { '<x>': 263 } })).toContain(
      'gives both "sh" and "<x>" the id 263',
    );
    expect(await refused(whole, { 'added_tokens.json': { '<x>': 2 ** 40 } })).toContain(
      'far outside of a vocabulary',
    );
    const unigram = modelOf({ ...plain, kind: 1 });
    expect(await refused(unigram, { 'added_tokens.json': { '<x>': 292 } })).toContain('289 is the next');
  });
});

describe('vocab.json with merges.txt', () => {
  const bytes = [
    ...'!"#$%&\'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~',
  ];
  const characters = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, index) => String.fromCodePoint(from + index));
  // The 256 characters that stand for bytes, by code point.
  const alphabet = [...bytes, ...characters(0xa1, 0xad), ...characters(0xae, 0x144)];
  const merges = [
    't h',
    'th e',
    '\u0120 the',
    's h',
    'i p',
    'sh ip',
    '\u0120 ship',
    '1 2',
    '12 3',
    '\u00c3 \u00a9',
    "' s",
  ];
  const vocab = Object.fromEntries(
    [...alphabet, ...merges.map((pair) => pair.replace(' ', ''))].map((token, id) => [token, id]),
  );
  const size = 267;
  const files = { 'vocab.json': vocab, 'merges.txt': `#version: 0.2\n${merges.join('\n')}\n` };
  const inputs = [
    "the ship's the ships 1234",
    ' the  ship\n\n',
    'e\u0301 \u00e9 the<|endoftext|> the',
    '<|im_start|> the<pad> <tool> ship',
    '',
  ];
  const idsOf = async (folder: string) => {
    const tokenizer = await tokenizerOf(folder);
    return inputs.map((text) => [...tokenizer.encode(text)]);
  };

  // Ids are those of transformers 5.24.0 (Python) for the same files.
  it('gives the ids of the library, cut as GPT-2 cuts', async () => {
    const end = '<|endoftext|>';
    const folder = folderWith('tiny-gpt2', {
      ...files,
      'special_tokens_map.json': { bos_token: end, eos_token: end, unk_token: end },
      'added_tokens.json': { [end]: size, '<tool>': size + 1 },
      'tokenizer_config.json': { tokenizer_class: 'GPT2Tokenizer' },
    });
    expect(await idsOf(folder)).toEqual([
      [257, 262, 266, 258, 262, 82, 220, 264, 19],
      [258, 220, 262, 198, 198],
      [68, 136, 223, 220, 265, 258, 267, 258],
      [27, 91, 72, 76, 62, 82, 83, 64, 81, 83, 91, 29, 258, 27, 79, 64, 67, 29, 220, 268, 262],
      [],
    ]);
    const { endId } = await tokenizerOf(folder);
    expect(endId).toBe(267);
  });

  it('gives the ids of the library, cut as Qwen2 cuts', async () => {
    const added = ['<|endoftext|>', '<|im_start|>', '<|im_end|>', '<tool>'].map((content, index) => [
      size + index,
      {
        content,
        special: content !== '<tool>',
        lstrip: false,
        rstrip: content === '<tool>',
        normalized: false,
      },
    ]);
    const config = {
      tokenizer_class: 'Qwen2Tokenizer',
      bos_token: null,
      eos_token: '<|im_end|>',
      pad_token: '<|endoftext|>',
      unk_token: null,
      added_tokens_decoder: Object.fromEntries(added),
    };
    const expected = [
      [257, 262, 266, 258, 262, 82, 220, 16, 17, 18, 19],
      [258, 220, 262, 198, 198],
      [265, 220, 265, 258, 267, 258],
      [268, 258, 27, 79, 64, 67, 29, 220, 270, 261],
      [],
    ];
    const folder = folderWith('tiny-qwen2', { ...files, 'tokenizer_config.json': config });
    expect(await idsOf(folder)).toEqual(expected);
    const { tokenizer } = await loadPretrained(folder);
    expect(tokenizer!.endId).toBe(269);
    expect(tokenizer!.decode(expected[3]!)).toBe(' the<pad> <tool>ship');
    // The architecture tells it where no class does.
    editJson(folder, 'tokenizer_config.json', (json) => {
      delete json.tokenizer_class;
    });
    expect(await idsOf(folder)).toEqual(expected);
  });

  it('has the end of its kind when no file names one', async () => {
    const own = { ...files, 'vocab.json': { ...vocab, '<|endoftext|>': size } };
    const tokenizer = await tokenizerOf(folderWith('tiny-gpt2', own));
    expect([...tokenizer.encode('the<|endoftext|>')]).toEqual([257, size]);
    expect(tokenizer.endId).toBe(size);
    const prefixed = folderWith('tiny-gpt2', { ...own, 'tokenizer_config.json': { add_prefix_space: true } });
    expect([...(await tokenizerOf(prefixed)).encode('the')]).toEqual([258]);
  });

  it.each([
    [
      'a merge of three tokens',
      { 'merges.txt': '#version\nt h\na b c\n' },
      'F/merges.txt: line 3 is "a b c"',
    ],
    [
      'a merge of what is not there',
      { 'merges.txt': 't th\n' },
      "F/vocab.json: The tokenizer's 'model.merges[0]'",
    ],
    [
      'an id that is none',
      { 'vocab.json': { a: 'x' } },
      "F/vocab.json: The tokenizer's 'model.vocab' gives \"a\"",
    ],
    ['a list', { 'vocab.json': [] }, 'F/vocab.json does not hold a JSON object.'],
    [
      'another class',
      { 'tokenizer_config.json': { tokenizer_class: 'XTokenizer' } },
      'is "XTokenizer", which',
    ],
    [
      'a blank put first',
      { 'tokenizer_config.json': { add_prefix_space: true } },
      "'add_prefix_space' is true",
    ],
  ])('%s is refused in one sentence', async (_what, edit, said) => {
    const sentence = await messageOf(folderWith('tiny-qwen2', { ...files, ...edit }));
    expect(sentence).toMatch(/^InputError: F\//);
    expect(sentence).toContain(said);
  });

  it('half of it is told, and the model reads ids', async () => {
    for (const [file, other] of [
      ['vocab.json', 'merges.txt'],
      ['merges.txt', 'vocab.json'],
    ] as const) {
      const folder = folderWith('tiny-gpt2', { [file]: files[file] });
      const { tokenizer, warnings } = await loadPretrained(folder);
      expect(tokenizer).toBeUndefined();
      expect(warnings).toEqual([
        `${join(folder, file)} stands without ${other}, so the folder has no tokenizer.`,
      ]);
    }
  });

  it('what does not tell how words are cut is refused', async () => {
    expect(await messageOf(folderWith('tiny-llama3', files))).toContain(
      "the key 'tokenizer_class' is null, which for a model of the family llama does not tell how words are cut",
    );
  });
});
