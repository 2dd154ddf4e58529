import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type NDArray,
  Rng,
  runOnce,
  tf,
  treeToRecord,
  valueAndGradient,
  zeros,
} from '@palimpsest/tensor-core';
import { afterAll, describe, expect, it } from 'vitest';
import {
  adaptersInit,
  crossBundleInit,
  crossBundlePrefix,
  MemLLM4,
  type MemoryOptions,
  memoryConfig,
  presets,
} from '../src/index.js';
import { attendFibers, fiberAttentionInit } from '../src/prefix/fiber-attention.js';
import { maxDifference, withEngine } from './support/engine.js';
import { sentences, tinyModel } from './support/tiny-model.js';

const engine = withEngine();
const rng = Rng.fromSeed(8);
const folder = mkdtempSync(join(tmpdir(), 'palimpsest-ams-'));
afterAll(() => rmSync(folder, { recursive: true }));

const reference: MemoryOptions = { ...presets.reference, kakeyaMinEntries: 4, kakeyaK: 3, kakeyaDRes: 2 };
const makeMemory = (memory: MemoryOptions = reference, seed = 1) =>
  new MemLLM4(tinyModel(), { engine: engine(), memory, seed });

async function filled(memory: MemLLM4, texts: readonly string[] = sentences): Promise<MemLLM4> {
  for (const text of texts) await memory.write(text);
  return memory;
}

describe('a memory over a language model', () => {
  it('writes, is consistent, has aligned sets, and continues a prompt', async () => {
    const memory = await filled(makeMemory(), sentences.slice(0, 6));
    expect(memory.store.length).toBe(6);
    expect(memory.verifyConsistency()).toEqual([]);
    expect(memory.registry.sets.filter((set) => set.isActive).length).toBeGreaterThanOrEqual(2);
    const { prefix, memories } = await memory.prepareDecodeContext(['My dog is', 'The locker']);
    expect([prefix.shape, memories]).toEqual([[2, 12, 32], 6]);
    expect(prefix.data.every(Number.isFinite)).toBe(true);
    expect(await memory.generate('My dog is', { maxTokens: 5 })).toHaveLength(5);
    await memory.dispose();
  });

  it('gives a prefix of zeros while it is empty', async () => {
    const memory = makeMemory();
    const { prefix, memories } = await memory.prepareDecodeContext(['My dog']);
    expect([memories, prefix.data.some((value) => value !== 0)]).toEqual([0, false]);
    expect(memory.verifyConsistency()).toEqual([]);
    await memory.dispose();
  });

  it('never gives an id twice, and forgets what is removed as if it had not been written', async () => {
    const memory = await filled(makeMemory(), sentences.slice(0, 3));
    const alone = await memory.prepareDecodeContext(['The door']);
    const mid = await memory.write(sentences[3]!);
    expect((await memory.prepareDecodeContext(['The door'])).prefix.data).not.toEqual(alone.prefix.data);
    expect([memory.remove(mid), memory.remove(mid)]).toEqual([true, false]);
    expect((await memory.prepareDecodeContext(['The door'])).prefix.data).toEqual(alone.prefix.data);
    expect(await memory.write(sentences[4]!)).toBe(mid + 1);
    expect(memory.store.get(mid + 1)!.ts).toBe(mid + 1);
    await memory.dispose();
  });

  it('streams the text that it returns, and draws with a generator when it is given one', async () => {
    const memory = await filled(makeMemory(), sentences.slice(0, 2));
    const seen: string[] = [];
    const text = await memory.generate('My', { maxTokens: 4, onText: (soFar) => seen.push(soFar) });
    expect(seen.at(-1)).toBe(text);
    const drawn = (seed: number) => memory.generate('My', { maxTokens: 8, rng: Rng.fromSeed(seed) });
    expect(await drawn(1)).toBe(await drawn(1));
    expect(await drawn(1)).not.toBe(await drawn(2));
    await memory.dispose();
  });

  it('finds a memory by the topic of its own text', async () => {
    const memory = await filled(makeMemory({ ...reference, treeScoring: 'cosine', indexKind: 'flat' }));
    const entry = memory.store.get(4)!;
    const hits = memory.store.search('topic', entry.topicDirn, 3);
    expect(hits[0]!.id).toBe(4);
    expect(await memory.searchTopic(sentences[4]!)).toHaveLength(8);
    await memory.dispose();
  });

  it('keeps the sets of its fields within the published error when they are built again as it grows', async () => {
    const errors = async (memory: MemoryOptions) => {
      const many = Array.from({ length: 40 }, (_, i) => `${sentences[i % 9]} Number ${i * 37}.`);
      const one = await filled(makeMemory(memory), many);
      const width = one.config.dLLM;
      const last = await Promise.all(
        many.slice(30).map(async (text, i) => {
          const { data } = await one.pool([one.text.encode(text)]);
          const decoded = one.registry.decodeField(one.store.get(30 + i)!.kakeyaHandle!, 'semantic_emb')!;
          const length = Math.hypot(...data.slice(0, width));
          return Math.hypot(...Array.from(decoded, (value, k) => value - data[k]!)) / length;
        }),
      );
      await one.dispose();
      return last.sort((a, b) => a - b)[5]!;
    };
    const fields = { kakeyaFields: true, kakeyaMinEntries: 8 };
    const once = await errors({ ...presets.reference, ...fields });
    const doubling = await errors({ ...fields, kakeyaRebuild: 'doubling' });
    expect(doubling).toBeLessThan(once / 2);
  });

  it("refuses a width that is not the model's", () => {
    expect(() => makeMemory({ dLLM: 48 })).toThrow(
      "'dLLM' of a memory is 48, but the language model is 32 wide",
    );
  });
});

describe('trained weights', () => {
  it('come back within a float, with counts', async () => {
    const [saved, other] = [makeMemory(), makeMemory(reference, 2)];
    const path = join(folder, 'weights.safetensors');
    const training = { provenance: 'test', steps: 1, elapsedSeconds: 1, preProbe: {}, postProbe: {} };
    await saved.saveTrainedWeights(path, training);
    const stats = await other.loadTrainedWeights(path, { provenance: 'test' });
    const [a, b] = [treeToRecord<NDArray>(saved.adapters), treeToRecord<NDArray>(other.adapters)];
    expect(stats).toEqual({
      loaded: Object.keys(a).length,
      skipped: 0,
      shapeErrs: 0,
      provenance: 'test',
      path,
    });
    for (const [name, { data }] of Object.entries(a))
      expect(maxDifference(data, b[name]!.data)).toBeLessThan(1e-5);
    await expect(other.loadTrainedWeights(path, { provenance: 'else' })).rejects.toThrow(
      "comes from 'test' and not from 'else'",
    );
    const narrow = makeMemory({ ...reference, dTopic: 8 });
    await expect(narrow.loadTrainedWeights(path)).rejects.toThrow(
      "'bundle_topic._axis_raw' has the shape [16] and not [8]",
    );
    const counted = await narrow.loadTrainedWeights(path, { strict: false });
    expect(counted.shapeErrs).toBeGreaterThan(0);
    expect(counted.loaded + counted.shapeErrs).toBe(Object.keys(a).length);
    for (const one of [saved, other, narrow]) await one.dispose();
  });

  it('are as many as published', () => {
    const sizes = Object.values(treeToRecord<NDArray>(adaptersInit(memoryConfig(presets.reference), rng, 1)));
    expect(sizes).toHaveLength(124);
    expect(sizes.reduce((sum, { data }) => sum + data.length, 0)).toBe(4_878_163);
  });
});

describe('the fiber prefix', () => {
  const config = memoryConfig({ dLLM: 24, ...presets.reference });
  const params = crossBundleInit(config, rng);
  const fibers = (seed: number, count = 8) => {
    const draw = Rng.fromSeed(seed);
    return {
      time: draw.normalArray([count, 32], 0, 1),
      topic: draw.normalArray([count, 64], 0, 1),
      ctx: draw.normalArray([count, 48], 0, 1),
    };
  };
  const hidden = rng.normalArray([2, 24], 0, 1);
  const run = (own: ReturnType<typeof fibers>) =>
    runOnce(
      engine(),
      (p: never, h: tf.Tensor, f: never) => crossBundlePrefix(p, config, h, f),
      params as never,
      hidden,
      own as never,
    );

  it('has a slot per place, is finite and the same twice', async () => {
    const [first, second] = [await run(fibers(1)), await run(fibers(1))];
    expect(first.shape).toEqual([2, 12, 24]);
    expect(first.data.every(Number.isFinite)).toBe(true);
    expect(maxDifference(first.data, second.data)).toBeLessThan(1e-6);
  });

  it('changes in the slots of a bundle when its fibers change', async () => {
    const changed = { ...fibers(1), time: fibers(2).time };
    const [before, after] = [await run(fibers(1)), await run(changed)];
    const change = (from: number, to: number) =>
      maxDifference(before.data.slice(from * 24, to * 24), after.data.slice(from * 24, to * 24));
    expect(change(0, 2)).toBeGreaterThan(0.01);
    expect(change(2, 12)).toBe(0);
  });

  it('needs a memory', async () => {
    const none = { time: zeros([0, 32]), topic: zeros([0, 64]), ctx: zeros([0, 48]) };
    await expect(run(none as never)).rejects.toThrow('the store is empty');
  });

  it('sends gradients to the query heads', async () => {
    const gradients = await runOnce(
      engine(),
      (p: never, h: tf.Tensor, f: never) =>
        valueAndGradient(
          (own: never) =>
            tf.sum(tf.square(tf.slice(crossBundlePrefix(own, config, h, f), [0, 0, 0], [2, 2, 12]))),
          p,
        ).gradients,
      params as never,
      hidden,
      fibers(1) as never,
    );
    const { query_heads } = gradients as unknown as typeof params;
    expect(Math.max(...Array.from(query_heads.q_time.weight.data, Math.abs))).toBeGreaterThan(0);
  });

  it('starts at the length of an embedding, or at 1', async () => {
    const lengthOf = async (scale: 'embedding' | 'unit') => {
      const own = memoryConfig({ dLLM: 24, prefixScaleInit: scale });
      const slot = await runOnce(
        engine(),
        (p: never, h: tf.Tensor, f: never) => crossBundlePrefix(p, own, h, f),
        crossBundleInit(own, rng, 3) as never,
        hidden,
        fibers(1) as never,
      );
      return Math.hypot(...slot.data.slice(0, 24));
    };
    expect(await lengthOf('embedding')).toBeCloseTo(3, 2);
    expect(await lengthOf('unit')).toBeCloseTo(1, 2);
  });

  it('is the attention that projects every memory', async () => {
    const [width, heads] = [12, 3];
    const own = fiberAttentionInit(rng, width);
    const bias = rng.normalArray([3 * width], 0, 1);
    const plain = (p: typeof own, q: tf.Tensor, f: tf.Tensor) => {
      const project = (x: tf.Tensor, part: number) =>
        tf.add(
          tf.matMul(
            x as tf.Tensor2D,
            tf.slice(p.in_proj_weight as never, [part * width, 0], [width, width]) as tf.Tensor2D,
            false,
            true,
          ),
          tf.slice(p.in_proj_bias as never, [part * width], [width]),
        );
      const split = (x: tf.Tensor) => tf.transpose(tf.reshape(x, [x.shape[0]!, heads, 4]), [1, 0, 2]);
      const [query, key, value] = [split(project(q, 0)), split(project(f, 1)), split(project(f, 2))];
      const weights = tf.softmax(tf.div(tf.matMul(query, key, false, true), 2));
      const joined = tf.reshape(tf.transpose(tf.matMul(weights, value), [1, 0, 2]), [q.shape[0]!, width]);
      return tf.add(
        tf.matMul(joined as tf.Tensor2D, p.out_proj.weight as never, false, true),
        p.out_proj.bias as never,
      );
    };
    // Fewer queries than memories, and more.
    for (const rows of [2, 9]) {
      const both = await runOnce(
        engine(),
        (p: never, q: tf.Tensor, f: tf.Tensor) => ({
          fast: attendFibers(p, heads, q, f).output,
          plain: plain(p, q, f),
        }),
        { ...own, in_proj_bias: bias } as never,
        rng.normalArray([rows, width], 0, 1),
        rng.normalArray([7, width], 0, 1),
      );
      expect(maxDifference(both.fast.data, both.plain.data)).toBeLessThan(2e-6);
    }
  });
});
