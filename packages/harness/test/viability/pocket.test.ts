import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTransformer, type PretrainedTokenizer, saveFolder } from '@palimpsest/backbone';
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
  }, 300_000);
});

describe('a shrunk model', () => {
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

  it('is refused where there is none', async () => {
    await expect(loadPocket(folder)).rejects.toThrow('holds no shrunk model');
  });
});
