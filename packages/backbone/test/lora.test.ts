import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type AnySequenceModel, countParameters } from '@palimpsest/lm';
import {
  type Engine,
  type NDArray,
  ndarray,
  Rng,
  readSafetensors,
  tf,
  treeLeaves,
  treeToRecord,
  valueAndGradient,
} from '@palimpsest/tensor-core';
import { afterAll, describe, expect, it } from 'vitest';
import {
  type LoraParameters,
  type LoraTransformer,
  loadAdapters,
  loadFrozen,
  loadPretrained,
  mergeLora,
  openLoraStart,
  openSavedLora,
  saveAdapters,
  saveFolderLike,
  withBase,
} from '../src/index.js';
import { transformerArchitecture } from '../src/mechanism/architecture.js';
import { engines, maxDifference, randomTokens, withEngine } from './helpers.js';

const golden = join(dirname(fileURLToPath(import.meta.url)), 'golden');
const hf = (name: string) => join(golden, 'hf', name);
const gguf = join(golden, 'gguf', 'tiny-qwen2.gguf');
const bases = [hf('tiny-gpt2'), hf('tiny-qwen2'), hf('tiny-llama3'), gguf] as const;
const root = mkdtempSync(join(tmpdir(), 'palimpsest-lora-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function logitsOf(engine: Engine, model: AnySequenceModel, params: unknown, tokens: NDArray) {
  const run = engine.compile((weights: never, ids: tf.Tensor2D) => {
    const state = model.initState(weights, ids.shape[0]);
    return model.forward(weights, ids, state, { training: false }).logits;
  });
  return (await (await run(params as never, tokens)).data()) as Float32Array;
}

/** Adapters that add something. */
function livelyAdapters(model: LoraTransformer, seed = 5): LoraParameters<NDArray> {
  const rng = Rng.fromSeed(seed);
  const params = model.init(rng) as LoraParameters<NDArray>;
  for (const { leaf } of treeLeaves<NDArray>(params)) {
    for (let i = 0; i < leaf.data.length; i++) leaf.data[i] = 0.3 * rng.normal();
  }
  return params;
}

describe('low-rank adapters', () => {
  it.each(engines)('begin as the weights that they stand beside, to the bit, on %s', async (name) => {
    await withEngine(name, async (engine) => {
      for (const base of bases) {
        const { model } = await openLoraStart(base, {});
        const frozen = await loadFrozen(base, '32bit');
        const tokens = randomTokens(2, 7, 3, model.vocabSize);
        const params = model.init(Rng.fromSeed(1));
        const given = await logitsOf(engine, frozen.model, frozen.params, tokens);
        expect(await logitsOf(engine, model, params, tokens)).toEqual(given);
        await frozen.dispose();
      }
    });
  });

  it('have a rank times the inputs and outputs of every layer, A within 1 / √in and B zero', async () => {
    const { model } = await openLoraStart(hf('tiny-qwen2'), { rank: 3, targets: ['mlp', 'q_proj'] });
    const { modelWidth: d, mlpWidth: f, heads, headWidth, layers } = model.options;
    const params = model.init(Rng.fromSeed(2)) as LoraParameters<NDArray>;
    expect(countParameters(params)).toBe(layers * 3 * (d + heads * headWidth + 3 * (d + f)));
    expect(Object.keys(params.blocks[1]!)).toEqual(['q', 'gate', 'up', 'down']);
    const { a, b } = params.blocks[0]!.down!;
    expect([a.shape, b.shape]).toEqual([
      [3, f],
      [d, 3],
    ]);
    const largest = Math.max(...Array.from(a.data, Math.abs));
    expect(largest).toBeLessThanOrEqual(1 / Math.sqrt(f));
    expect(largest).toBeGreaterThan(0.9 / Math.sqrt(f));
    expect(b.data.every((value) => value === 0)).toBe(true);
    const all = await openLoraStart(hf('tiny-gpt2'), {});
    expect(all.model.lora).toMatchObject({ rank: 8, alpha: 16, targets: ['qkv', 'o', 'up', 'down'] });
  });

  it.each(engines)('have the gradients of finite differences, on %s', async (name) => {
    await withEngine(name, async (engine) => {
      const { model } = await openLoraStart(hf('tiny-qwen2'), { rank: 2, alpha: 3 });
      const params = livelyAdapters(model);
      const tokens = randomTokens(2, 6, 4, model.vocabSize);
      const loss = (weights: LoraParameters, ids: tf.Tensor2D) => {
        const { logits } = model.forward(weights, ids, model.initState(weights, 2), { training: true });
        const [, time, vocabulary] = logits.shape;
        const rows = tf.logSoftmax(tf.reshape(logits, [2 * time, vocabulary]));
        const wanted = tf.oneHot(tf.reshape(ids, [2 * time]), vocabulary);
        return tf.neg(tf.mean(tf.sum(tf.mul(rows, tf.cast(wanted, 'float32')), 1)));
      };
      const run = engine.compile((weights: LoraParameters, ids: tf.Tensor2D) => {
        const { value, gradients } = valueAndGradient((tree: LoraParameters) => loss(tree, ids), weights);
        return { value, gradients };
      });
      const value = engine.compile(loss);
      const result = await run(params as never, tokens as never);
      const gradients = treeToRecord<{ data(): Promise<Float32Array> }>(result.gradients);
      const valueAt = async () => (await (await value(params as never, tokens as never)).data())[0]!;
      for (const { path, leaf } of treeLeaves<NDArray>(params)) {
        if (!path.startsWith('blocks.1')) continue;
        const gradient = await gradients[path]!.data();
        const index = gradient.reduce(
          (best, g, i) => (Math.abs(g) > Math.abs(gradient[best]!) ? i : best),
          0,
        );
        const before = leaf.data[index]!;
        leaf.data[index] = before + 1e-2;
        const above = await valueAt();
        leaf.data[index] = before - 1e-2;
        const below = await valueAt();
        leaf.data[index] = before;
        expect(Math.abs((above - below) / 2e-2 - gradient[index]!), path).toBeLessThan(
          2e-4 + 0.02 * Math.abs(gradient[index]!),
        );
      }
    });
  });

  it.each(bases)('merged into %s, as parameters and as a folder, give the same logits', async (base) => {
    const { model } = await openLoraStart(base, { rank: 4, alpha: 2 });
    const params = livelyAdapters(model);
    const merged = await mergeLora(model, params);
    const folder = join(root, base.split('/').at(-1)!.replace('.', '-'));
    await saveFolderLike(base, folder, model.options, merged.params);
    const again = await loadPretrained(folder);
    await withEngine('onnx', async (engine) => {
      const tokens = randomTokens(2, 9, 6, model.vocabSize);
      const given = await loadPretrained(base);
      const adapted = await logitsOf(engine, model, params, tokens);
      expect(
        maxDifference(adapted, await logitsOf(engine, given.model, given.params, tokens)),
      ).toBeGreaterThan(0.05);
      const size = Math.max(1, ...adapted.map(Math.abs));
      const close = async (other: AnySequenceModel, weights: unknown) =>
        expect(maxDifference(adapted, await logitsOf(engine, other, weights, tokens)) / size).toBeLessThan(
          1e-5,
        );
      await close(merged.model, merged.params);
      await close(again.model, again.params);
      expect(merged.parametersId).not.toBe(given.parametersId);
      expect(again.tokenizer?.encode('Hello world')).toEqual(given.tokenizer?.encode('Hello world'));
      expect(again.endIds).toEqual(given.endIds);
    });
    await expect(saveFolderLike(base, folder, model.options, merged.params)).rejects.toThrow(
      'holds something already',
    );
  });

  it('are not written as a folder that could not say what the model is', async () => {
    const stretched = join(golden, 'gguf', 'tiny-llama3.gguf');
    const { model, params } = await loadPretrained(stretched);
    const folder = join(root, 'stretched');
    await expect(saveFolderLike(stretched, folder, model.options, params)).rejects.toThrow(
      "rotary scaling 'factors' is not written",
    );
    expect(existsSync(folder)).toBe(false);
  });

  it('are described by their configuration, and find their base again', async () => {
    const { model } = await openLoraStart(hf('tiny-llama3'), { rank: 2, targets: ['attention'] });
    const config = JSON.parse(JSON.stringify(model.config));
    const alone = (await transformerArchitecture.restore(config)) as LoraTransformer;
    expect(alone.config).toEqual(model.config);
    const params = livelyAdapters(model);
    await withEngine('cpu', async (engine) => {
      const tokens = randomTokens(1, 5, 6, model.vocabSize);
      await expect(logitsOf(engine, alone, params, tokens)).rejects.toThrow('open those first');
      const opened = await withBase(alone);
      const expected = await logitsOf(engine, model, params, tokens);
      expect(await logitsOf(engine, opened, params, tokens)).toEqual(expected);
      const streaming = opened.withCache({ window: 3 });
      const near = await logitsOf(engine, streaming, params, tokens);
      expect(near.slice(0, 3 * model.vocabSize)).toEqual(expected.slice(0, 3 * model.vocabSize));
      expect(near).not.toEqual(expected);
      expect(streaming.config).toMatchObject({ window: 3, lora: config.lora });
    });
  });

  it('refuse a base that is gone or has changed, unknown layers and ranks', async () => {
    const copy = join(root, 'changing');
    cpSync(hf('tiny-llama3'), copy, { recursive: true });
    const { model } = await openLoraStart(copy, {});
    const params = livelyAdapters(model);
    const weights = join(copy, 'model.safetensors');
    const bytes = readFileSync(weights);
    bytes[8 + Number(bytes.readBigUInt64LE(0)) + 2]! ^= 0x10;
    writeFileSync(weights, bytes);
    await expect(withBase(model)).rejects.toThrow(`The weights of '${copy}' have changed since`);
    await expect(mergeLora(model, params)).rejects.toThrow('bring the former ones back');
    rmSync(copy, { recursive: true });
    await expect(withBase(model)).rejects.toThrow('where nothing stands any more');
    const open = (lora: object) => expect(openLoraStart(hf('tiny-gpt2'), lora)).rejects;
    await open({ rank: 0 }).toThrow("The option 'rank' of adapters is wrong");
    await open({ alpha: 0 }).toThrow("The option 'alpha' of adapters is wrong");
    await open({ targets: ['attention', 'gate'] }).toThrow(
      "'gate' names no layers of this model that can have adapters; it has qkv, o, up, down, together attention and mlp.",
    );
    await open({ targets: [] }).toThrow('at least one kind of layers');
  });
});

describe('adapters in the layout of PEFT', () => {
  it.each(bases)('are written and read again: %s', async (base) => {
    const { model } = await openLoraStart(base, { rank: 3, alpha: 5, targets: ['attention', 'down'] });
    const params = livelyAdapters(model);
    const folder = join(root, `peft-${base.split('/').at(-1)}`);
    await saveAdapters(folder, model, params);
    const read = await loadAdapters(folder);
    expect(read.model.lora).toEqual(model.lora);
    expect(treeToRecord(read.params)).toEqual(treeToRecord(params));
    const further = await openSavedLora(folder, { dropout: 0.1 });
    expect(further.model.lora).toEqual(model.lora);
    expect(further.model.options.dropout).toBe(0.1);
    expect(treeToRecord(further.params)).toEqual(treeToRecord(params));
  });

  it.each(['tiny-qwen2', 'tiny-gpt2'])(
    'give the logits that PEFT computes with its own: %s',
    async (name) => {
      const folder = join(golden, 'peft', name);
      const { model, params } = await loadAdapters(folder);
      const { tensors } = await readSafetensors(join(folder, 'logits.safetensors'));
      const [ids, wanted] = ['ids', 'logits'].map((key) => tensors.get(key)!);
      const tokens = ndarray(ids!.data as Int32Array, [1, ids!.shape[0]!], 'int32');
      const merged = await mergeLora(model, params);
      const beside = await withBase(model);
      await withEngine('onnx', async (engine) => {
        for (const [own, weights] of [
          [merged.model, merged.params],
          [beside, params],
        ] as const) {
          const logits = await logitsOf(engine, own as AnySequenceModel, weights, tokens);
          expect(maxDifference(logits, wanted!.data as Float32Array)).toBeLessThan(2e-5);
        }
      });
    },
  );

  it('have the names of PEFT', async () => {
    const namesOf = async (base: string) => {
      const { model } = await openLoraStart(base, { rank: 2 });
      const folder = join(root, `names-${base.split('/').at(-1)}`);
      await saveAdapters(folder, model, livelyAdapters(model));
      const { tensors } = await readSafetensors(join(folder, 'adapter_model.safetensors'));
      const config = JSON.parse(readFileSync(join(folder, 'adapter_config.json'), 'utf8'));
      return { config, keys: [...tensors.keys()] };
    };
    const qwen = await namesOf(hf('tiny-qwen2'));
    expect(qwen.keys).toContain('base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight');
    expect(qwen.config).toMatchObject({ peft_type: 'LORA', r: 2, lora_alpha: 16, fan_in_fan_out: false });
    expect(qwen.config.target_modules).toContain('gate_proj');
    const gpt2 = await namesOf(hf('tiny-gpt2'));
    expect(gpt2.keys).toContain('base_model.model.transformer.h.0.attn.c_attn.lora_B.weight');
    expect(gpt2.config.target_modules).toEqual(['c_attn', 'attn.c_proj', 'c_fc', 'mlp.c_proj']);
    expect(gpt2.config.fan_in_fan_out).toBe(true);
  });

  it('are refused when they are something else', async () => {
    const { model } = await openLoraStart(hf('tiny-qwen2'), { rank: 2 });
    const folder = join(root, 'other');
    await saveAdapters(folder, model, livelyAdapters(model));
    const path = join(folder, 'adapter_config.json');
    const config = JSON.parse(readFileSync(path, 'utf8'));
    const refused = (changes: object) => {
      writeFileSync(path, JSON.stringify({ ...config, ...changes }));
      return expect(loadAdapters(folder)).rejects;
    };
    await refused({ peft_type: 'IA3' }).toThrow(`${path}: the key 'peft_type' is "IA3", which is not read.`);
    await refused({ use_dora: true }).toThrow("'use_dora' is true");
    await refused({ init_lora_weights: 'pissa' }).toThrow("'init_lora_weights'");
    await refused({ rank_pattern: { q_proj: 4 } }).toThrow("'rank_pattern'");
    await refused({ r: 4 }).toThrow('has the shape [4, ');
    await refused({ base_model_name_or_path: 'nobody/nothing' }).toThrow("belong to 'nobody/nothing'");
    await refused({ base_model_name_or_path: hf('tiny-gpt2') }).toThrow('is no adapter of a linear layer');
    writeFileSync(path, JSON.stringify({ ...config, use_rslora: true, lora_alpha: 6 }));
    expect((await loadAdapters(folder)).model.lora.alpha).toBeCloseTo(6 * Math.SQRT2, 12);
  });
});
