import { copyFileSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  decodeSafetensors,
  fromNDArray,
  type NDArray,
  ndarray,
  Rng,
  type SafeTensor,
  toNDArray,
  treeToRecord,
  writeSafetensors,
} from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { describeFolder, loadFrozen, loadPretrained, type WeightFormat } from '../src/index.js';
import { copyOf, editJson, editTensors, golden, grownCheckpoint, peakMemory } from './checkpoint-copies.js';

/** The message of a failed load, which names the folder's own file. */
async function failure(folder: string): Promise<string> {
  const error = (await loadPretrained(folder).then(
    () => undefined,
    (reason: unknown) => reason,
  )) as Error | undefined;
  expect(error?.name).toBe('InputError');
  const described = (await describeFolder(folder).then(
    () => undefined,
    (reason: unknown) => reason,
  )) as Error | undefined;
  expect(described?.message).toBe(error?.message);
  expect(error!.message.startsWith(folder) || error!.message.includes(folder)).toBe(true);
  return error!.message.replaceAll(folder, 'F');
}

describe('a checkpoint folder', () => {
  it('loads in every float format, in one file or several, to the same model', async () => {
    const { params } = await loadPretrained(join(golden, 'tiny-llama3'));
    const plain = treeToRecord<NDArray>(params);
    for (const storage of [undefined, 'F16', 'BF16'] as const) {
      const folder = copyOf('tiny-llama3');
      await editTensors(folder, (tensors) => {
        for (const [key, tensor] of Object.entries(tensors))
          tensors[key] = fromNDArray(toNDArray(tensor), storage);
      });
      const { params: own, parametersId } = await loadPretrained(folder);
      const loaded = treeToRecord<NDArray>(own);
      const tolerance = storage === 'BF16' ? 2 ** -8 : 0;
      for (const [path, { data }] of Object.entries(plain)) {
        data.forEach((value, i) => {
          const difference = Math.abs(loaded[path]!.data[i]! - value);
          if (difference > tolerance * Math.abs(value)) throw new Error(`${storage} ${path}[${i}]`);
        });
      }
      if (storage !== 'BF16') continue;
      // The same tensors, one file each.
      const { tensors } = decodeSafetensors(readFileSync(join(folder, 'model.safetensors')));
      const weightMap: Record<string, string> = {};
      for (const [index, [key, tensor]] of [...tensors].entries()) {
        weightMap[key] = `part-${index}.safetensors`;
        await writeSafetensors(join(folder, weightMap[key]!), { [key]: tensor });
      }
      rmSync(join(folder, 'model.safetensors'));
      writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: weightMap }));
      const parted = await loadPretrained(folder);
      expect(treeToRecord(parted.params)).toEqual(loaded);
      expect(parted.parametersId).toBe(parametersId);
      expect((await describeFolder(folder)).files.length).toBe(tensors.size);
    }
  });

  it('names its parameters by what is in them, wherever they stand', async () => {
    const idOf = async (edit: (tensors: Record<string, SafeTensor>) => void) => {
      const folder = copyOf('tiny-llama3');
      await editTensors(folder, edit);
      return (await loadPretrained(folder)).parametersId;
    };
    const original = await idOf(() => {});
    expect(original).toMatch(/^[0-9a-f]{64}$/);
    expect((await loadPretrained(join(golden, 'tiny-llama3'))).parametersId).toBe(original);
    const gain = 'model.norm.weight';
    const changed = await idOf((tensors) => {
      const { data, shape } = toNDArray(tensors[gain]!);
      tensors[gain] = fromNDArray(
        ndarray(
          Float32Array.from(data, (value) => value + 1),
          shape,
        ),
      );
    });
    const swapped = await idOf((tensors) => {
      const [first, second] = ['model.layers.0.mlp.up_proj.weight', 'model.layers.0.mlp.gate_proj.weight'];
      [tensors[first!], tensors[second!]] = [tensors[second!]!, tensors[first!]!];
    });
    const frozenId = async (format: WeightFormat) => {
      const { parametersId, dispose } = await loadFrozen(join(golden, 'tiny-llama3'), format);
      await dispose();
      return parametersId;
    };
    const [coarse, finer, half] = [await frozenId('4bit'), await frozenId('8bit'), await frozenId('16bit')];
    expect(new Set([original, changed, swapped, coarse, finer, half]).size).toBe(6);
    // What is used where it lies counts as what is read.
    expect(await frozenId('32bit')).toBe(original);
  });

  it('puts every weight of GPT-2 where the other way of multiplying wants it', async () => {
    const { params } = await loadPretrained(join(golden, 'tiny-gpt2'));
    const stored = decodeSafetensors(readFileSync(join(golden, 'tiny-gpt2', 'model.safetensors'))).tensors;
    const original = toNDArray(stored.get('h.1.attn.c_attn.weight')!);
    const { data, shape } = params.blocks[1]!.queryKeyValue.weight;
    expect(shape).toEqual([72, 24]);
    for (let i = 0; i < 24; i++)
      for (let j = 0; j < 72; j++) expect(data[j * 24 + i]).toBe(original.data[i * 72 + j]);
  });

  it('accepts the prefix of GPT-2 exports, a copy of the tied head and unused tensors, with a warning', async () => {
    const folder = copyOf('tiny-gpt2');
    await editTensors(folder, (tensors) => {
      for (const [key, tensor] of Object.entries(tensors)) {
        delete tensors[key];
        tensors[`transformer.${key}`] = tensor;
      }
      tensors['lm_head.weight'] = tensors['transformer.wte.weight']!;
      tensors['score.weight'] = fromNDArray(ndarray([1, 2]));
    });
    const loaded = await loadPretrained(folder);
    expect(treeToRecord(loaded.params)).toEqual(
      treeToRecord((await loadPretrained(join(golden, 'tiny-gpt2'))).params),
    );
    expect(loaded.warnings).toEqual([
      `${folder}/model.safetensors has tensors that are not used: 'score.weight'.`,
    ]);
  });

  it('is described without reading weights', async () => {
    const description = await describeFolder(join(golden, 'tiny-qwen2'), { capacity: 100 });
    expect(description).toMatchObject({
      family: 'qwen2',
      parameters: 34_848,
      dtypes: ['BF16'],
      storedBytes: 69_696,
      memoryBytes: 139_392,
      tokenizerSize: 380,
      endIds: [378],
      hasChatTemplate: false,
      warnings: [],
    });
    expect(description.cacheBytes).toBe(4 * (100 * (2 * 3 * 2 * 8 + 1) + 1));
    expect(description.files.map((file) => file.split('/').at(-1))).toEqual([
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
    ]);
  });

  it('finds the end ids and the chat template', async () => {
    const folder = copyOf('tiny-qwen2');
    expect((await loadPretrained(folder)).endIds).toEqual([378]);
    writeFileSync(join(folder, 'generation_config.json'), JSON.stringify({ eos_token_id: [378, 376] }));
    const template =
      "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] | trim }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
    writeFileSync(
      join(folder, 'tokenizer_config.json'),
      JSON.stringify({ eos_token: { content: '<|im_end|>' }, chat_template: template }),
    );
    const loaded = await loadPretrained(folder);
    expect(loaded.endIds).toEqual([378, 376]);
    expect(loaded.tokenizer!.endId).toBe(378);
    const text = loaded.chatTemplate!.render([{ role: 'user', content: ' hi ' }]);
    expect(text).toBe('<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n');
    expect([...loaded.tokenizer!.encode(text)].filter((id) => id === 377).length).toBe(2);
    writeFileSync(join(folder, 'chat_template.jinja'), "{{ raise_exception('no') }}");
    const refusing = (await loadPretrained(folder)).chatTemplate!;
    expect(() => refusing.render([])).toThrow(`${folder}/chat_template.jinja refuses this conversation`);
  });
});

describe('what is wrong with a folder is said in one sentence that names file and key', () => {
  it.each([
    [
      'a missing config',
      (f: string) => rmSync(join(f, 'config.json')),
      'There is no file F/config.json, which describes',
    ],
    [
      'missing weights',
      (f: string) => rmSync(join(f, 'model.safetensors')),
      'There is no file F/model.safetensors, and no model.safetensors.index.json',
    ],
    ['a torn config', (f: string) => truncateSync(join(f, 'config.json'), 30), 'F/config.json is not JSON'],
    [
      'a truncated file',
      (f: string) => truncateSync(join(f, 'model.safetensors'), 50_000),
      /F\/model\.safetensors is cut off: '.+' ends at byte/,
    ],
    [
      'a file cut inside its header',
      (f: string) => truncateSync(join(f, 'model.safetensors'), 100),
      'F/model.safetensors is not a safetensors file, or is cut off',
    ],
    [
      'a foreign file',
      (f: string) => copyFileSync(join(f, 'tokenizer.json'), join(f, 'model.safetensors')),
      'F/model.safetensors is not a safetensors file',
    ],
    [
      'another architecture',
      (f: string) =>
        editJson(f, 'config.json', (json) => {
          json.model_type = 'mamba';
        }),
      'F/config.json: the model_type "mamba" is not supported; supported are gpt2, qwen2, qwen3, llama, mistral, smollm3, gemma3.',
    ],
    [
      'a missing size',
      (f: string) =>
        editJson(f, 'config.json', (json) => {
          delete json.hidden_size;
        }),
      "F/config.json: the key 'hidden_size' is missing",
    ],
    [
      'an unknown activation',
      (f: string) =>
        editJson(f, 'config.json', (json) => {
          json.hidden_act = 'relu';
        }),
      `F/config.json: the key 'hidden_act' is "relu", which is not supported`,
    ],
    [
      'other rotary scaling',
      (f: string) =>
        editJson(f, 'config.json', (json) => {
          json.rope_scaling = { rope_type: 'proportional', factor: 4 };
        }),
      "the type 'proportional', which is not supported; supported are default, linear, dynamic, llama3, yarn, longrope",
    ],
    [
      'incomplete rotary scaling',
      (f: string) =>
        editJson(f, 'config.json', (json) => {
          json.rope_scaling = { type: 'linear' };
        }),
      "F/config.json: the key 'rope_scaling.factor' is missing",
    ],
    [
      'heads that do not divide',
      (f: string) =>
        editJson(f, 'config.json', (json) => {
          json.num_key_value_heads = 2;
        }),
      'F/config.json: 3 heads cannot share 2 key/value heads',
    ],
    [
      'other shapes',
      (f: string) =>
        editJson(f, 'config.json', (json) => {
          json.intermediate_size = 41;
        }),
      "F/model.safetensors does not fit config.json: it has other shapes: 'model.layers.0.mlp.gate_proj.weight' has shape [40, 24] instead of [41, 24]",
    ],
    [
      'more layers',
      (f: string) =>
        editJson(f, 'config.json', (json) => {
          json.num_hidden_layers = 3;
        }),
      "it lacks 'model.layers.2.input_layernorm.weight', 'model.layers.2.self_attn.q_proj.weight'",
    ],
    [
      'another tokenizer',
      (f: string) =>
        editJson(f, 'tokenizer.json', (json) => {
          json.pre_tokenizer = { type: 'Blank' };
        }),
      "F/tokenizer.json: The tokenizer's 'pre_tokenizer' is of type 'Blank', which is not supported",
    ],
    [
      'a broken end id',
      (f: string) => writeFileSync(join(f, 'generation_config.json'), '{"eos_token_id": "x"}'),
      'F/generation_config.json: the key \'eos_token_id\' is "x"',
    ],
  ] as const)('%s', async (_what, spoil, message) => {
    const folder = copyOf('tiny-llama3');
    spoil(folder);
    expect(await failure(folder)).toMatch(message);
  });

  it('weights of another kind, and an index that lies', async () => {
    const folder = copyOf('tiny-llama3');
    await editTensors(folder, (tensors) => {
      tensors['model.norm.weight'] = { dtype: 'I32', shape: [24], data: new Int32Array(24) };
    });
    await expect(loadPretrained(folder)).rejects.toThrow(
      `model.safetensors: 'model.norm.weight' has dtype I32`,
    );
    const sharded = copyOf('tiny-qwen2');
    editJson(sharded, 'model.safetensors.index.json', (json) => {
      (json.weight_map as Record<string, string>)['model.norm.weight'] = 'model-00001-of-00002.safetensors';
    });
    expect(await failure(sharded)).toBe(
      "F/model.safetensors.index.json says that 'model.norm.weight' is in model-00001-of-00002.safetensors, but it is not there.",
    );
    rmSync(join(sharded, 'model-00002-of-00002.safetensors'));
    expect(await failure(sharded)).toContain('There is no file F/model-00002-of-00002.safetensors');
    expect(readdirSync(sharded)).not.toContain('model.safetensors');
  });
});

it('a large tensor is read in pieces, transposed ones too', async () => {
  const folder = copyOf('tiny-gpt2');
  const rng = Rng.fromSeed(2);
  const width = 24 * 16;
  const wide = rng.normalArray([width, 4 * width]);
  editJson(folder, 'config.json', (json) => Object.assign(json, { n_embd: width, n_layer: 1 }));
  await editTensors(folder, (tensors) => {
    for (const key of Object.keys(tensors)) if (key.startsWith('h.1.')) delete tensors[key];
    for (const [key, tensor] of Object.entries(tensors)) {
      const shape = tensor.shape.map((extent) =>
        extent % 24 === 0 && extent !== 387 ? extent * 16 : extent,
      );
      tensors[key] = fromNDArray(
        key === 'h.0.mlp.c_fc.weight'
          ? wide
          : ndarray(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape),
      );
    }
  });
  const { params } = await loadPretrained(folder);
  const { data } = params.blocks[0]!.up.weight;
  for (let i = 0; i < width; i += 7) {
    for (let j = 0; j < 4 * width; j += 5) expect(data[j * width + i]).toBe(wide.data[i * 4 * width + j]);
  }
});

it.each(['F32', 'F16', 'BF16'] as const)(
  'loading %s needs at most 1.15 times the memory of the weights',
  async (dtype) => {
    const folder = await grownCheckpoint(dtype);
    const { result, peak } = await peakMemory((onProgress) => loadPretrained(folder, { onProgress }));
    const bytes = Object.values(treeToRecord<NDArray>(result.params)).reduce(
      (sum, { data }) => sum + data.byteLength,
      0,
    );
    expect(bytes).toBeGreaterThan(4e7);
    expect(peak).toBeGreaterThan(0.9 * bytes);
    expect(peak).toBeLessThan(1.15 * bytes);
  },
);
