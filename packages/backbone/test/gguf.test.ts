import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeSafetensors, type NDArray, ndarray, toNDArray, treeToRecord } from '@palimpsest/tensor-core';
import { afterAll, describe, expect, it } from 'vitest';
import { describeFolder, loadPretrained } from '../src/index.js';
import { blockFormats } from '../src/pretrained/gguf/block-formats.js';
import { editedGguf, ggufBytes } from './gguf-files.js';
import { engines, forwardLogits, maxDifference, withEngine } from './helpers.js';

const golden = fileURLToPath(new URL('./golden', import.meta.url));
const file = (name: string) => join(golden, 'gguf', name);
const scratch = mkdtempSync(join(tmpdir(), 'palimpsest-gguf-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const tensorsOf = (name: string) => decodeSafetensors(readFileSync(file(name))).tensors;

describe('blocks have the values that the Python package gives them', () => {
  const tensors = tensorsOf('blocks.safetensors');
  const names = ['Q4_0', 'Q4_1', 'Q5_0', 'Q5_1', 'Q8_0', 'Q4_K', 'Q5_K', 'Q6_K'];

  it('all types that are read have golden blocks', () => {
    expect(Object.keys(blockFormats).sort()).toEqual([...names].sort());
  });

  it.each(names)('%s, to the bit', (name) => {
    const { values, bytes, dequantise } = blockFormats[name]!;
    const stored = tensors.get(`${name}.bytes`)!.data as Uint8Array;
    const expected = toNDArray(tensors.get(`${name}.values`)!).data as Float32Array;
    const count = stored.length / bytes;
    expect(expected.length).toBe(count * values);
    // Blocks that begin anywhere in a buffer, written behind other values.
    const shifted = new Uint8Array(stored.length + 3);
    shifted.set(stored, 3);
    const into = new Float32Array(expected.length + 5);
    for (let block = 0; block < count; block++)
      dequantise(shifted, 3 + block * bytes, into, 5 + block * values);
    expect(into.subarray(5)).toEqual(expected);
    expect(new Set(expected).size).toBeGreaterThan(10);
  });
});

describe('a GGUF file is read as the folder that it was made from', () => {
  it.each(['tiny-llama3', 'tiny-qwen2', 'tiny-gpt2'])('%s', async (name) => {
    const fromFolder = await loadPretrained(join(golden, 'hf', name));
    const fromFile = await loadPretrained(file(`${name}.gguf`));
    const { rotaryScaling, normEpsilon, ...options } = fromFile.model.options;
    const { rotaryScaling: stated, normEpsilon: epsilon, ...expected } = fromFolder.model.options;
    expect(options).toEqual(expected);
    // Files have single-precision numbers, and scaling as what it comes to.
    expect(normEpsilon).toBeCloseTo(epsilon, 12);
    expect(rotaryScaling?.kind).toBe(stated === null ? undefined : 'factors');
    const weights = treeToRecord<NDArray>(fromFolder.params);
    const read = treeToRecord<NDArray>(fromFile.params);
    expect(Object.keys(read)).toEqual(Object.keys(weights));
    const tolerance = name === 'tiny-llama3' ? 2 ** -11 : 0;
    for (const [path, { data }] of Object.entries(weights)) {
      const largest = Math.max(...data.map((value) => Math.abs(value)));
      expect(maxDifference(read[path]!.data, data), path).toBeLessThanOrEqual(tolerance * largest);
    }
    const texts = ["It's 1234 ships,  the héron\n\n flies <|eot_id|>", '', ' \t船 🙂'];
    for (const text of texts) {
      for (const addSpecialTokens of [false, true]) {
        expect(fromFile.tokenizer!.encode(text, { addSpecialTokens })).toEqual(
          fromFolder.tokenizer!.encode(text, { addSpecialTokens }),
        );
      }
    }
  });

  it('with rotary factors that give the same logits', async () => {
    const ids = ndarray(Int32Array.from([367, 3, 99, 200, 14, 7, 250]), [1, 7], 'int32');
    const [fromFolder, fromFile] = await Promise.all(
      [join(golden, 'hf', 'tiny-llama3'), file('tiny-llama3.gguf')].map((path) => loadPretrained(path)),
    );
    await withEngine('onnx', async (engine) => {
      const expected = await forwardLogits(engine, fromFolder!.model, fromFolder!.params, ids);
      const own = await forwardLogits(engine, fromFile!.model, fromFolder!.params, ids);
      expect(maxDifference(own, expected)).toBeLessThan(1e-5);
    });
  });

  it('with its template and its end', async () => {
    const { chatTemplate, endIds, tokenizer } = await loadPretrained(file('tiny-llama3.gguf'));
    expect(chatTemplate!.render([{ role: 'user', content: 'hi' }])).toBe('<|begin_of_text|>hi<|eot_id|>');
    expect(endIds.map((id) => tokenizer!.decode([id], { skipSpecialTokens: false }))).toEqual([
      '<|end_of_text|>',
      '<|eot_id|>',
    ]);
  });
});

describe.each(engines)('a file of block types, on %s', (engineName) => {
  it('has the logits that transformers computes with the values of its blocks', async () => {
    const tensors = tensorsOf('blocks-logits.safetensors');
    const ids = toNDArray(tensors.get('ids')!) as NDArray<'int32'>;
    const { model, params } = await loadPretrained(file('blocks.gguf'));
    const tokens = ndarray(ids.data, [1, ids.data.length], 'int32');
    await withEngine(engineName, async (engine) => {
      const logits = await forwardLogits(engine, model, params, tokens);
      expect(maxDifference(logits, toNDArray(tensors.get('logits')!).data)).toBeLessThan(2e-5);
    });
    const { dtypes, storedBytes, parameters } = await describeFolder(file('blocks.gguf'));
    expect(dtypes).toEqual(['F16', 'F32', 'Q4_0', 'Q4_1', 'Q5_0', 'Q5_1', 'Q8_0']);
    expect(storedBytes).toBeLessThan(1.3 * parameters);
  });
});

interface SentencePieceCase {
  readonly file: string;
  readonly texts: readonly { readonly text: string; readonly ids: number[]; readonly decoded: string }[];
}

describe('a SentencePiece vocabulary', () => {
  const cases = JSON.parse(readFileSync(file('sentence-piece.json'), 'utf8')) as SentencePieceCase[];
  it.each(cases)('gives the ids of the library: $file', async ({ file: name, texts }) => {
    const { tokenizer, endIds } = await loadPretrained(file(name));
    for (const { text, ids, decoded } of texts) {
      expect([...tokenizer!.encode(text)], text).toEqual(ids);
      expect(tokenizer!.decode(ids), text).toBe(decoded);
    }
    expect([...tokenizer!.encode('<s> a</s>', { addSpecialTokens: true })].slice(0, 2)).toEqual([1, 1]);
    expect(endIds).toEqual([2]);
  });
});

describe('what is wrong with a file is said in one sentence', () => {
  const failure = async (path: string) => {
    const error = await loadPretrained(path).then(
      () => undefined,
      (reason: Error) => reason,
    );
    expect(error?.name).toBe('InputError');
    return error!.message.replaceAll(scratch, 'S');
  };
  const saved = (name: string, bytes: Uint8Array) => {
    writeFileSync(join(scratch, name), bytes);
    return join(scratch, name);
  };
  const bytes = readFileSync(file('tiny-llama3.gguf'));

  it('that is torn at any place', async () => {
    for (const length of [0, 3, 20, 31, 100, 5000, 9000, bytes.length - 1]) {
      expect(await failure(saved('torn.gguf', bytes.subarray(0, length)))).toMatch(
        /^S\/torn\.gguf is (cut off|empty)/,
      );
    }
  });

  it('of another format, version or byte order, or that is not there', async () => {
    expect(await failure(saved('foreign.gguf', new TextEncoder().encode('x'.repeat(99))))).toBe(
      "S/foreign.gguf is not a GGUF file: it does not begin with 'GGUF'.",
    );
    const version = (...four: number[]) =>
      Uint8Array.from([...bytes.subarray(0, 4), ...four, ...bytes.subarray(8)]);
    expect(await failure(saved('old.gguf', version(1, 0, 0, 0)))).toContain(
      "is of GGUF's version 1, which is not read",
    );
    expect(await failure(saved('big.gguf', version(0, 0, 0, 3)))).toContain(
      'is written for big-endian machines',
    );
    expect(await failure(join(scratch, 'none.gguf'))).toContain('There is no file S/none.gguf');
    const page = new TextEncoder().encode('<!doctype html><title>Sign in</title>');
    expect(await failure(saved('page.gguf', page))).toContain("is a web page ('Sign in')");
  });

  it('lists in lists and numbers beyond 2^53 that nobody needs do not matter', async () => {
    const metadata = { 'other.table': [[1, 2], [], [3]], 'other.seed': 2 ** 64 - 2 ** 12 };
    const { metadata: read } = ggufBytes(editedGguf(file('blocks.gguf'), { metadata }));
    expect(read.get('other.table')).toEqual([[1, 2], [], [3]]);
    await loadPretrained(saved('nested.gguf', editedGguf(file('blocks.gguf'), { metadata })));
  });

  it('a header that claims more than the file has', async () => {
    const claims = Buffer.from(bytes);
    claims.writeBigUInt64LE(2n ** 40n, 8);
    expect(await failure(saved('claims.gguf', claims))).toContain('is cut off');
  });

  it.each([
    [
      'another architecture',
      { metadata: { 'general.architecture': 'mamba' } },
      "the architecture 'mamba' is not supported",
    ],
    ['experts', { metadata: { 'llama.expert_count': 8 } }, "the key 'llama.expert_count' is 8"],
    [
      'more layers than anybody counts',
      { metadata: { 'llama.block_count': 1e8 } },
      "'llama.block_count' is 100000000",
    ],
    ['a missing size', { without: ['llama.block_count'] }, "the key 'llama.block_count' is missing"],
    [
      'a size of another kind',
      { metadata: { 'llama.block_count': 'two' } },
      'the key \'llama.block_count\' is "two", expected a number',
    ],
    [
      'other scaling',
      { metadata: { 'llama.rope.scaling.type': 'su', 'llama.rope.scaling.factor': 4 } },
      "the key 'llama.rope.scaling.type' is 'su'",
    ],
    [
      'another tokenizer',
      { metadata: { 'tokenizer.ggml.model': 'bert' } },
      "the key 'tokenizer.ggml.model' is 'bert'",
    ],
    [
      'words cut otherwise',
      { metadata: { 'tokenizer.ggml.pre': 'chatglm-bpe' } },
      "the key 'tokenizer.ggml.pre' is 'chatglm-bpe'",
    ],
    [
      'an end that is no token',
      { metadata: { 'tokenizer.ggml.eos_token_id': 9999 } },
      "the key 'tokenizer.ggml.eos_token_id' is 9999",
    ],
    [
      'tensors of a type that is not read',
      { types: { 'blk.0.ffn_up.weight': 'IQ4_NL' } },
      "'blk.0.ffn_up.weight' has dtype IQ4_NL; weights are",
    ],
  ] as const)('%s', async (name, edit, message) => {
    const path = saved(
      'edited.gguf',
      editedGguf(
        file('blocks.gguf'),
        name.includes('token') || name.includes('words')
          ? {
              ...edit,
              metadata: {
                'tokenizer.ggml.tokens': ['a', 'b'],
                'tokenizer.ggml.merges': [],
                'tokenizer.ggml.model': 'gpt2',
                ...('metadata' in edit ? edit.metadata : {}),
              },
            }
          : edit,
      ),
    );
    expect(await failure(path)).toContain(message);
  });

  it('a file that says nothing of how words are cut is read with a remark', async () => {
    const metadata = {
      'tokenizer.ggml.tokens': ['a', 'b'],
      'tokenizer.ggml.merges': [],
      'tokenizer.ggml.model': 'gpt2',
    };
    const { warnings } = await loadPretrained(
      saved('edited.gguf', editedGguf(file('blocks.gguf'), { metadata })),
    );
    expect(warnings.join()).toContain(
      "does not say how its tokenizer cuts words (the key 'tokenizer.ggml.pre')",
    );
  });
});

it.each([
  ['a factor without a type', { 'rope.scaling.factor': 4 }, { kind: 'linear', factor: 4 }],
  ['the factor of old files', { 'rope.scale_linear': 4 }, { kind: 'linear', factor: 4 }],
  [
    'a share of the magnitude of YaRN',
    { 'rope.scaling.type': 'yarn', 'rope.scaling.factor': 4, 'rope.scaling.attn_factor': 0.5 },
    { kind: 'yarn', factor: 4, magnitude: 0.5 * (0.1 * Math.log(4) + 1) },
  ],
])('rotary scaling: %s', async (_name, keys, expected) => {
  const metadata = Object.fromEntries(Object.entries(keys).map(([key, value]) => [`llama.${key}`, value]));
  const path = join(scratch, 'scaled.gguf');
  writeFileSync(path, editedGguf(file('blocks.gguf'), { metadata }));
  expect((await loadPretrained(path)).model.options.rotaryScaling).toMatchObject(expected);
});

it('a scaling factor of 0 is none', async () => {
  const path = join(scratch, 'unscaled.gguf');
  const metadata = { 'llama.rope.scaling.type': 'linear', 'llama.rope.scaling.factor': 0 };
  writeFileSync(path, editedGguf(file('blocks.gguf'), { metadata }));
  expect((await loadPretrained(path)).model.options.rotaryScaling).toBeNull();
});

it('parts of a split model are read together, and a later part alone is refused', async () => {
  const { tensors } = ggufBytes(readFileSync(file('blocks.gguf')));
  const names = [...tensors.keys()];
  const parts = [names.slice(0, 9), names.slice(9)].map((onlyTensors) =>
    editedGguf(file('blocks.gguf'), { onlyTensors }),
  );
  parts.forEach((part, index) => {
    writeFileSync(join(scratch, `model-0000${index + 1}-of-00002.gguf`), part);
  });
  copyFileSync(file('blocks.gguf'), join(scratch, 'whole.gguf'));
  const whole = await loadPretrained(join(scratch, 'whole.gguf'));
  const split = await loadPretrained(join(scratch, 'model-00001-of-00002.gguf'));
  expect(treeToRecord(split.params)).toEqual(treeToRecord(whole.params));
  writeFileSync(join(scratch, 'model-00002-of-00002.gguf'), parts[0]!);
  await expect(loadPretrained(join(scratch, 'model-00001-of-00002.gguf'))).rejects.toThrow(
    /is in .*00001-of-00002\.gguf and in .*00002-of-00002\.gguf/,
  );
  await expect(loadPretrained(join(scratch, 'model-00002-of-00002.gguf'))).rejects.toThrow(
    'is part 2 of 2; give the first',
  );
  rmSync(join(scratch, 'model-00002-of-00002.gguf'));
  await expect(loadPretrained(join(scratch, 'model-00001-of-00002.gguf'))).rejects.toThrow(
    'There is no file',
  );
});
