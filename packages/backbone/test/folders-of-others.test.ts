import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  decodeSafetensors,
  encodeSafetensors,
  type NDArray,
  type SafeTensor,
  treeToRecord,
} from '@palimpsest/base';
import { describe, expect, it } from 'vitest';
import { describeFolder, loadPretrained } from '../src/index.js';
import { copyOf, editJson, editTensors, golden } from './checkpoint-copies.js';

const messageOf = (folder: string) =>
  describeFolder(folder).then(
    () => 'accepted',
    (error: Error) => `${error.name}: ${error.message.replaceAll(folder, 'F')}`,
  );

/** Gives every tensor another name. */
const rename = (folder: string, name: (key: string) => string) =>
  editTensors(folder, (tensors) => {
    const entries = Object.entries(tensors);
    for (const [key] of entries) delete tensors[key];
    for (const [key, tensor] of entries) tensors[name(key)] = tensor;
  });

/** A tensor of any dtype behind the others, written by hand. */
function addTensor(folder: string, dtype: string, size: number): void {
  const path = join(folder, 'model.safetensors');
  const bytes = readFileSync(path);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString());
  const end = bytes.length - 8 - length;
  header['model.step_counter'] = { dtype, shape: [2], data_offsets: [end, end + 2 * size] };
  const text = Buffer.from(JSON.stringify(header));
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(path, Buffer.concat([start, text, bytes.subarray(8 + length), Buffer.alloc(2 * size)]));
}

const parameters = async (folder: string) => treeToRecord<NDArray>((await loadPretrained(folder)).params);

describe('element types', () => {
  it.each([
    ['F64', 8],
    ['I8', 1],
    ['I16', 2],
    ['U16', 2],
    ['U32', 4],
    ['U64', 8],
    ['F8_E4M3', 1],
    ['F8_E5M2', 1],
    ['C64', 8],
    ['X3', 5],
  ])('a tensor of %s that nobody needs does not matter', async (dtype, size) => {
    const folder = copyOf('tiny-llama3');
    addTensor(folder, dtype, size);
    expect(await messageOf(folder)).toBe('accepted');
  });

  it('weights in 64 bits are those in 32, transposed ones too', async () => {
    const folder = copyOf('tiny-gpt2');
    await editTensors(folder, (tensors) => {
      for (const [key, { dtype, shape, data }] of Object.entries(tensors)) {
        if (dtype === 'F32')
          tensors[key] = { dtype: 'F64', shape, data: Float64Array.from(data as Float32Array) };
      }
    });
    expect(await parameters(folder)).toEqual(await parameters(join(golden, 'tiny-gpt2')));
  });

  it('weights in 8 bits are read', async () => {
    const folder = copyOf('tiny-llama3');
    await editTensors(folder, (tensors) => {
      tensors['model.norm.weight'] = { dtype: 'F8_E4M3', shape: [24], data: new Uint8Array(24).fill(0x3c) };
    });
    expect((await parameters(folder))['norm.gain']!.data).toEqual(new Float32Array(24).fill(1.5));
  });
});

it('a GPT-2 whose sizes have the names of other families is the same', async () => {
  const folder = copyOf('tiny-gpt2');
  editJson(folder, 'config.json', (json) => {
    for (const [own, other] of [
      ['n_positions', 'max_position_embeddings'],
      ['n_embd', 'hidden_size'],
      ['n_layer', 'num_hidden_layers'],
      ['n_head', 'num_attention_heads'],
    ] as const) {
      json[other] = json[own];
      delete json[own];
    }
  });
  const usual = await describeFolder(join(golden, 'tiny-gpt2'));
  expect((await describeFolder(folder)).config).toEqual(usual.config);
  editJson(folder, 'config.json', (json) => {
    delete json.hidden_size;
  });
  expect(await messageOf(folder)).toContain("the key 'n_embd' is missing");
});

it('names of special tokens are found in special_tokens_map.json where tokenizer_config.json has none', async () => {
  const folder = copyOf('tiny-llama3');
  const write = (name: string, json: unknown) => writeFileSync(join(folder, name), JSON.stringify(json));
  editJson(folder, 'config.json', (json) => {
    delete json.eos_token_id;
  });
  write('special_tokens_map.json', {
    bos_token: { content: '<|begin_of_text|>' },
    eos_token: '<|eot_id|>',
    additional_special_tokens: ['<|other|>'],
  });
  const chat_template = { default: '{{ bos_token }}{{ messages[0].content }}{{ eos_token }}' };
  write('tokenizer_config.json', { chat_template, eos_token: null });
  const { endIds, chatTemplate } = await loadPretrained(folder);
  expect(endIds).toEqual([369]);
  expect(chatTemplate!.render([{ role: 'user', content: 'hi' }])).toBe('<|begin_of_text|>hi<|eot_id|>');
  write('tokenizer_config.json', { chat_template, eos_token: '<|end_of_text|>' });
  expect((await loadPretrained(folder)).endIds).toEqual([368]);
});

describe('what stands before the keys', () => {
  it.each([
    ['nothing, of a model that was saved without its head', (key: string) => key.replace(/^model\./, '')],
    ['a wrapper', (key: string) => `_orig_mod.${key}`],
    ['another wrapper', (key: string) => `module.${key}`],
    ['two of them', (key: string) => `module._orig_mod.${key}`],
  ])('%s', async (_what, name) => {
    const folder = copyOf('tiny-llama3');
    await rename(folder, name);
    expect(await parameters(folder)).toEqual(await parameters(join(golden, 'tiny-llama3')));
  });

  it('is told for what is missing, in a sentence that stays short', async () => {
    const folder = copyOf('tiny-llama3');
    await rename(folder, (key) => `other.${key.replace('layers', 'blocks')}`);
    const message = await messageOf(folder);
    expect(message).toContain("lacks 'other.model.layers.0.input_layernorm.weight'");
    expect(message).toMatch(/ and \d+ more\.$/);
    expect(message.length).toBeLessThan(500);
  });
});

describe('quantised weights', () => {
  it('are named by their method', async () => {
    const folder = copyOf('tiny-llama3');
    editJson(folder, 'config.json', (json) => {
      json.quantization_config = { quant_method: 'awq', bits: 4, group_size: 128 };
    });
    expect(await messageOf(folder)).toBe(
      "InputError: F/config.json: the key 'quantization_config' says that the weights are quantised by awq to 4 bits, which is not read; use the checkpoint that they were made from.",
    );
  });

  it('are named by a key where config.json is silent', async () => {
    const folder = copyOf('tiny-llama3');
    await editTensors(folder, (tensors) => {
      for (const [key, { shape }] of Object.entries(tensors)) {
        if (!key.endsWith('proj.weight')) continue;
        delete tensors[key];
        const size = shape.reduce((product, extent) => product * extent, 1);
        tensors[key.replace('weight', 'qweight')] = {
          dtype: 'I32',
          shape,
          data: new Int32Array(size),
        } as SafeTensor;
      }
    });
    expect(await messageOf(folder)).toMatch(
      /holds quantised weights, as 'model\.layers\.0\.[\w.]+\.qweight'/,
    );
  });
});

describe('files that are not what their names say', () => {
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 988097824\n`;
  const page = '<!doctype html><html><head><title>429 Too Many Requests</title></head></html>';
  it.each([
    [
      'model.safetensors',
      pointer,
      'F/model.safetensors is a pointer of Git LFS, not the file of 988097824 bytes',
    ],
    ['tokenizer.json', pointer, 'F/tokenizer.json is a pointer of Git LFS'],
    ['config.json', pointer, 'F/config.json is a pointer of Git LFS'],
    ['model.safetensors', page, "F/model.safetensors is a web page ('429 Too Many Requests')"],
    ['tokenizer.json', '', 'F/tokenizer.json is empty'],
    ['tokenizer.json', '{"model":', 'F/tokenizer.json is not JSON'],
  ])('%s %#', async (name, contents, message) => {
    const folder = copyOf('tiny-llama3');
    writeFileSync(join(folder, name), contents);
    expect(await messageOf(folder)).toContain(`InputError: ${message}`);
  });

  it('weights of another format are named', async () => {
    const folder = copyOf('tiny-llama3');
    rmSync(join(folder, 'model.safetensors'));
    writeFileSync(join(folder, 'pytorch_model.bin'), 'x');
    expect(await messageOf(folder)).toContain(
      'pytorch_model.bin is of a format that is not read: convert it',
    );
  });
});

describe('what stands where a file should', () => {
  it.each(['model.safetensors', 'config.json', 'tokenizer.json'])('a folder called %s', async (name) => {
    const folder = copyOf('tiny-llama3');
    rmSync(join(folder, name));
    mkdirSync(join(folder, name));
    expect(await messageOf(folder)).toMatch(new RegExp(`^InputError: .*F/${name}.* folder`));
  });

  it.skipIf(process.platform === 'win32').each(['model.safetensors', 'config.json', 'chat_template.jinja'])(
    'a pipe called %s, which is not waited for',
    async (name) => {
      const folder = copyOf('tiny-llama3');
      rmSync(join(folder, name), { force: true });
      execFileSync('mkfifo', [join(folder, name)]);
      expect(await messageOf(folder)).toContain(`InputError: 'F/${name}' is a pipe`);
    },
  );

  it.each([
    ['consolidated.safetensors', 'consolidated.safetensors is not looked for'],
    ['adapter_model.safetensors', 'adapter_model.safetensors changes another model'],
  ])('weights called %s are named', async (name, message) => {
    const folder = copyOf('tiny-llama3');
    renameSync(join(folder, 'model.safetensors'), join(folder, name));
    expect(await messageOf(folder)).toContain(message);
  });
});

describe('settings that cannot be meant', () => {
  it.each([
    [
      'more layers than anybody counts',
      { num_hidden_layers: 100_000_000 },
      "the key 'num_hidden_layers' is 100000000",
    ],
    [
      'a family that every object has',
      { model_type: '__proto__' },
      'the model_type "__proto__" is not supported',
    ],
    ['a method alone', { quantization_config: 'awq' }, 'are quantised by awq'],
    ['an older name', { compression_config: { format: 'x' } }, "the key 'compression_config' says"],
  ])('%s', async (_name, changes, message) => {
    const folder = copyOf('tiny-llama3');
    editJson(folder, 'config.json', (json) => Object.assign(json, changes));
    expect(await messageOf(folder)).toContain(message);
  });

  it('nothing is no, and an end beyond the vocabulary is told', async () => {
    const folder = copyOf('tiny-llama3');
    editJson(folder, 'config.json', (json) =>
      Object.assign(json, {
        attention_bias: null,
        mlp_bias: null,
        tie_word_embeddings: null,
        eos_token_id: [1, 370],
      }),
    );
    const { warnings } = await describeFolder(folder);
    expect(warnings).toEqual([
      "The key 'eos_token_id' names 370, but the ids of the model are 0 to 369: texts do not end there.",
    ]);
  });
});

describe('what other programs write', () => {
  it('byte order marks and the numbers of Python are read', async () => {
    const folder = copyOf('tiny-llama3');
    for (const name of ['config.json', 'tokenizer.json']) {
      const text = readFileSync(join(folder, name), 'utf8');
      writeFileSync(join(folder, name), `\ufeff${text.replace('{', '{"maximum": Infinity, "none": NaN, ')}`);
    }
    expect(await messageOf(folder)).toBe('accepted');
  });

  it('an index beside the single file is not read, and said so', async () => {
    const folder = copyOf('tiny-llama3');
    const index = { weight_map: { 'model.norm.weight': 'model-00001-of-00001.safetensors' } };
    writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify(index));
    expect((await describeFolder(folder)).warnings).toEqual([
      `${folder}/model.safetensors.index.json is not read, since model.safetensors stands beside it.`,
    ]);
  });

  it('a folder without tokenizer.json is a model of ids', async () => {
    const folder = copyOf('tiny-llama3');
    rmSync(join(folder, 'tokenizer.json'));
    const loaded = await loadPretrained(folder);
    expect(loaded.tokenizer).toBeUndefined();
    expect(treeToRecord(loaded.params)).toEqual(await parameters(join(golden, 'tiny-llama3')));
    expect((await describeFolder(folder)).tokenizerSize).toBeUndefined();
  });

  it('a tokenizer with more ids than the model has rows is told', async () => {
    const folder = copyOf('tiny-llama3');
    editJson(folder, 'config.json', (json) => {
      json.vocab_size = 300;
    });
    const path = join(folder, 'model.safetensors');
    const tensors = Object.fromEntries(decodeSafetensors(readFileSync(path)).tensors);
    for (const [key, { dtype, shape, data }] of Object.entries(tensors)) {
      if (!/embed_tokens|lm_head/.test(key)) continue;
      tensors[key] = { dtype, shape: [300, 24], data: (data as Float32Array).slice(0, 300 * 24) };
      expect(shape).toEqual([370, 24]);
    }
    writeFileSync(path, encodeSafetensors(tensors));
    expect((await describeFolder(folder)).warnings).toContainEqual(
      expect.stringContaining('has the ids 0 to 369, but the model has a vocabulary of 300'),
    );
  });
});
