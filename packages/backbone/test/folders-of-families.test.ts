import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeSafetensors, type NDArray, treeToRecord, writeSafetensors } from '@palimpsest/tensor-core';
import { afterAll, expect, it } from 'vitest';
import { loadPretrained } from '../src/index.js';

const golden = fileURLToPath(new URL('./golden/architectures', import.meta.url));
const scratch: string[] = [];
afterAll(() => {
  for (const folder of scratch) rmSync(folder, { recursive: true, force: true });
});

type Config = Record<string, unknown>;

/** A folder of a family's golden weights, with a configuration of one's own. */
function folderOf(family: string, edit: (config: Config) => Config): string {
  const folder = mkdtempSync(join(tmpdir(), 'palimpsest-families-'));
  scratch.push(folder);
  cpSync(join(golden, family, 'model.safetensors'), join(folder, 'model.safetensors'));
  const [{ config }] = JSON.parse(readFileSync(join(golden, family, 'cases.json'), 'utf8')) as [
    { config: Config },
  ];
  writeFileSync(join(folder, 'config.json'), JSON.stringify(edit(config)));
  return folder;
}

async function editKeys(folder: string, edit: (key: string) => string | undefined): Promise<void> {
  const path = join(folder, 'model.safetensors');
  const { tensors } = decodeSafetensors(readFileSync(path));
  const kept = [...tensors].flatMap(([key, tensor]) => {
    const name = edit(key);
    return name === undefined ? [] : [[name, tensor] as const];
  });
  await writeSafetensors(path, Object.fromEntries(kept));
}

it('a Gemma 3 that sees beside is read for its language alone, whatever stands before its keys', async () => {
  const plain = await loadPretrained(folderOf('gemma3', (config) => config));
  for (const prefix of ['language_model.model.', 'model.language_model.']) {
    const folder = folderOf('gemma3', ({ eos_token_id, ...text }) => ({
      model_type: 'gemma3',
      text_config: text,
      eos_token_id,
      vision_config: { hidden_size: 8 },
    }));
    await editKeys(folder, (key) => key.replace(/^model\./, prefix));
    const loaded = await loadPretrained(folder);
    expect(treeToRecord<NDArray>(loaded.params)).toEqual(treeToRecord<NDArray>(plain.params));
    expect(loaded.endIds).toEqual([2, 3]);
    expect(loaded.family).toBe('gemma3');
  }
});

it('the ends of texts that the whole file states count before those of its language model', async () => {
  const endsOf = async (outer: Config, inner: Config) => {
    const folder = folderOf('gemma3', ({ eos_token_id, ...text }) => ({
      model_type: 'gemma3',
      text_config: { ...text, ...inner },
      ...outer,
    }));
    return (await loadPretrained(folder)).endIds;
  };
  expect(await endsOf({ eos_token_id: [2, 3] }, { eos_token_id: 2 })).toEqual([2, 3]);
  expect(await endsOf({ eos_token_id: [2, 3] }, { eos_token_id: null })).toEqual([2, 3]);
  expect(await endsOf({ eos_token_id: null }, { eos_token_id: 2 })).toEqual([2]);
});

it('null stands for what a file does not state', async () => {
  const optionsOf = async (family: string, more: Config) =>
    (await loadPretrained(folderOf(family, (config) => ({ ...config, ...more })))).model.options;
  const nothing = {
    use_sliding_window: null,
    max_window_layers: null,
    rope_parameters: { rope_theta: null },
  };
  expect(await optionsOf('qwen2', nothing)).toEqual(await optionsOf('qwen2', {}));
  // Windows begin behind layer 28, unless a file says otherwise.
  const window = { use_sliding_window: true, sliding_window: 6, max_window_layers: null };
  expect((await optionsOf('qwen2', window)).localLayers).toEqual([]);
  expect((await optionsOf('qwen2', { ...window, max_window_layers: 1 })).localLayers).toEqual([1]);
});

it('what the published files of Gemma 3 leave out is what their makers meant', async () => {
  const folder = folderOf('gemma3', ({ vocab_size, head_dim, query_pre_attn_scalar, ...rest }) => rest);
  // The weights have other sizes than the usual ones, which the message shows.
  await expect(loadPretrained(folder)).rejects.toThrow(
    /embed_tokens.weight' has shape \[48, 32\] instead of \[262208, 32\]/,
  );
});

it('a head that nobody mentions is the embedding table when the weights have none, and only then', async () => {
  const stated = (value: boolean | undefined) =>
    folderOf('llama', (config) => ({
      ...config,
      ...(value !== undefined && { tie_word_embeddings: value }),
    }));
  const folder = stated(undefined);
  expect((await loadPretrained(folder)).model.options.tiedHead).toBe(false);
  await editKeys(folder, (key) => (key === 'lm_head.weight' ? undefined : key));
  expect((await loadPretrained(folder)).model.options.tiedHead).toBe(true);
  const untied = stated(false);
  await editKeys(untied, (key) => (key === 'lm_head.weight' ? undefined : key));
  await expect(loadPretrained(untied)).rejects.toThrow("it lacks 'lm_head.weight'");
});

it('rotary settings that stand in two places, or in none, are those that transformers takes', async () => {
  const rotary = async (more: Config) => {
    const { model } = await loadPretrained(folderOf('llama', (config) => ({ ...config, ...more })));
    return model.options;
  };
  const llama3 = { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4 };
  expect((await rotary({ rope_theta: 1000, rope_parameters: { rope_theta: 7000 } })).rotaryBase).toBe(7000);
  expect((await rotary({ rope_scaling: {}, rope_parameters: { rope_theta: 7000 } })).rotaryBase).toBe(7000);
  expect((await rotary({ rope_scaling: llama3 })).rotaryScaling).toMatchObject({ originalContext: 64 });
  expect(
    (await rotary({ rope_scaling: llama3, original_max_position_embeddings: 16 })).rotaryScaling,
  ).toMatchObject({ originalContext: 16 });
});

it.each([
  [
    'other parts of a head turned',
    'llama',
    { partial_rotary_factor: 0.5 },
    "the key 'partial_rotary_factor' is 0.5",
  ],
  ['capped scores', 'gemma3', { attn_logit_softcapping: 50 }, "the key 'attn_logit_softcapping' is 50"],
  ['capped logits', 'gemma3', { final_logit_softcapping: 30 }, "the key 'final_logit_softcapping' is 30"],
  [
    'sight of the future',
    'gemma3',
    { use_bidirectional_attention: true },
    "the key 'use_bidirectional_attention' is true",
  ],
  [
    'layers of another kind',
    'qwen2',
    { layer_types: ['chunked_attention', 'full_attention'] },
    'the key \'layer_types.0\' is "chunked_attention"',
  ],
  [
    'a kind for too few layers',
    'qwen2',
    { layer_types: ['full_attention'] },
    "the key 'layer_types' has 1 entries for 2 layers",
  ],
  [
    'factors for other heads',
    'llama',
    { rope_scaling: { type: 'su', short_factor: [1], long_factor: [1] } },
    "the key 'rope_scaling.short_factor' has 1 entries, but heads of 8 need 4",
  ],
  [
    'factors that are missing',
    'llama',
    { rope_scaling: { type: 'longrope', short_factor: [1, 1, 1, 1] } },
    "the key 'rope_scaling.long_factor' is missing for the type 'longrope'",
  ],
  [
    'a stretching that lost its name',
    'llama',
    { rope_scaling: { factor: 8, low_freq_factor: 1, high_freq_factor: 4 } },
    "the key 'rope_scaling' has the factor 8, but no 'rope_type'",
  ],
  [
    'a stretching of one kind of layers without its factor',
    'gemma3',
    { rope_parameters: { full_attention: { rope_type: 'linear' }, sliding_attention: {} } },
    "the key 'rope_parameters.full_attention.factor' is missing for the type 'linear'",
  ],
  [
    'rotary settings of local layers alone',
    'gemma3',
    { rope_parameters: { sliding_attention: { rope_theta: 7000 } } },
    "the key 'rope_parameters.full_attention' is missing",
  ],
  [
    'local layers that are stretched',
    'gemma3',
    { rope_parameters: { full_attention: {}, sliding_attention: { rope_type: 'linear', factor: 2 } } },
    "the key 'rope_parameters.sliding_attention' has the type 'linear'",
  ],
  [
    'part of a head in the newer form',
    'llama',
    { rope_parameters: { rope_type: 'default', partial_rotary_factor: 0.5 } },
    "the key 'rope_parameters.partial_rotary_factor' is 0.5",
  ],
  [
    'local layers without a window',
    'mistral',
    { layer_types: ['sliding_attention', 'full_attention'], sliding_window: null },
    "the key 'layer_types' says that layer 0 has sliding_attention, but there is no 'sliding_window'",
  ],
  [
    'local layers where windows are off',
    'qwen2',
    { layer_types: ['full_attention', 'sliding_attention'], sliding_window: 6, use_sliding_window: false },
    "the key 'layer_types' says that layer 1 has sliding_attention, but 'use_sliding_window' is not true",
  ],
] as const)('%s: refused in one sentence', async (_what, family, more, message) => {
  const folder = folderOf(family, (config) => ({ ...config, ...more }));
  await expect(loadPretrained(folder)).rejects.toThrow(message);
});
