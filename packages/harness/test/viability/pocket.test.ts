import { cpSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTransformer, type PretrainedTokenizer, saveFolder } from '@palimpsest/backbone';
import { readSafetensors } from '@palimpsest/base';
import { createEngine, type Engine, type NDArray, Rng, treeToRecord } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pocketInit, pocketOptions } from '../../src/viability/backbone/pocket-model.js';
import { loadPocket, shrinkPocket } from '../../src/viability/pocket.js';
import { quickViability } from '../../src/viability/quick-viability.js';
import { viabilityText } from '../../src/viability/viability-report.js';

const ASSET = 'assets/pocket';
const folder = mkdtempSync(join(tmpdir(), 'palimpsest-pocket-'));
let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('onnx', { threads: 1 });
});
afterAll(async () => {
  await engine.dispose();
  rmSync(folder, { recursive: true, force: true });
});

describe('the small model that ships', () => {
  it('takes less than a megabyte, and answers from its memory', async () => {
    expect(statSync(join(ASSET, 'weights.safetensors')).size).toBeLessThan(2 ** 20);
    const report = await quickViability(engine, { sessions: 1 }, ASSET);
    const hits = (facts: number, mode: string) => {
      const own = Object.entries(report.results.find((one) => one.facts === facts)!.modes);
      return own.find(([name]) => name === mode)![1].rates.first.hits;
    };
    for (const facts of [20, 50]) {
      expect(hits(facts, 'A_ams_prefix')).toBeGreaterThanOrEqual(8);
      expect(hits(facts, 'C_ams_hybrid')).toBeGreaterThanOrEqual(8);
      expect(hits(facts, 'Z_no_memory') + hits(facts, 'X_wrong_memory')).toBe(0);
    }
    expect(report.keyValueForm).toBe('kakeya');
    expect(viabilityText(report)).toContain("A's positions");
    expect(viabilityText(report)).toContain(
      "passed on the suite 'base': 10 questions about 20 facts, 10 questions about 50 facts.",
    );
  }, 300_000);
});

describe('a shrunk model', () => {
  it('is read as it ships: every weight is its whole number times the scale of its row', async () => {
    const { tensors } = await readSafetensors(join(ASSET, 'weights.safetensors'));
    const { frozen } = await loadPocket(ASSET);
    for (const [name, { data }] of Object.entries(treeToRecord<NDArray>(frozen.params))) {
      const stored = tensors.get(name)!.data as Int8Array | Float32Array;
      const scales = tensors.get(`${name}.scale`)?.data as Float32Array | undefined;
      const width = scales ? stored.length / scales.length : 1;
      const expected = Float32Array.from(stored, (value, i) =>
        scales ? value * scales[Math.floor(i / width)]! : value,
      );
      expect(
        Buffer.from(data.buffer, data.byteOffset, data.byteLength).equals(Buffer.from(expected.buffer)),
        name,
      ).toBe(true);
    }
  });

  // The second is an option that the backbone leaves to its default.
  it.each([{ mlpWidth: 264 }, { headWidth: 64 }])(
    'is made of the offline backbone alone: %o',
    async (change) => {
      const model = createTransformer({ ...pocketOptions, ...change });
      const { frozen } = await loadPocket(ASSET);
      const [name] = Object.keys(change);
      const place = join(folder, name!);
      await saveFolder(place, {
        family: 'qwen2',
        model,
        params: model.init(Rng.fromSeed(1)),
        tokenizer: (frozen.tokenizer as PretrainedTokenizer).tokenizer,
        endIds: [2047],
      });
      await expect(shrinkPocket(place, join(ASSET, 'adapters'), join(folder, 'none'))).rejects.toThrow(
        `has another '${name}' than the offline backbone`,
      );
    },
    60_000,
  );

  it('has every weight within half a step of its row, and the same tokens', async () => {
    const { frozen } = await loadPocket(ASSET);
    const tokenizer = frozen.tokenizer as PretrainedTokenizer;
    const params = pocketInit(Rng.fromSeed(3));
    const model = join(folder, 'model');
    await saveFolder(model, {
      family: 'qwen2',
      model: createTransformer(pocketOptions),
      params,
      tokenizer: tokenizer.tokenizer,
      endIds: [2047],
    });
    await shrinkPocket(model, join(ASSET, 'adapters'), join(folder, 'small'));
    const small = await loadPocket(join(folder, 'small'));
    const again = treeToRecord<NDArray>(small.frozen.params);
    for (const [name, { data, shape }] of Object.entries(treeToRecord<NDArray>(params))) {
      const width = shape.length === 1 ? 1 : shape[1]!;
      for (let row = 0; row * width < data.length; row++) {
        const own = Array.from(data.slice(row * width, (row + 1) * width));
        const step = shape.length === 1 ? 0 : Math.max(...own.map(Math.abs)) / 127;
        const worst = Math.max(
          ...own.map((value, i) => Math.abs(value - again[name]!.data[row * width + i]!)),
        );
        expect(worst, name).toBeLessThanOrEqual(0.5001 * step + 1e-7);
      }
    }
    const text = 'User: My cat is called Zorblat.\n';
    expect([...(small.frozen.tokenizer!.encode(text) as Int32Array)]).toEqual([...tokenizer.encode(text)]);
  }, 120_000);

  it('is refused where there is none, or its merges are torn', async () => {
    await expect(loadPocket(folder)).rejects.toThrow('holds no shrunk model');
    const torn = join(folder, 'torn');
    cpSync(ASSET, torn, { recursive: true });
    writeFileSync(join(torn, 'merges.json'), '{"a": 1}');
    await expect(loadPocket(torn)).rejects.toThrow('merges.json holds no merges of a tokenizer');
    writeFileSync(join(torn, 'merges.json'), '["a b');
    await expect(loadPocket(torn)).rejects.toThrow(/merges.json is not JSON/);
  });
});
