import { createEngine, type Engine, Rng } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  checkLeak,
  createRsmModel,
  evaluateRsm,
  LEAK_VOCABULARY,
  LeakToy,
  MemoryStream,
  measureContextGain,
  measureRetention,
  recallProbe,
  trainOnLeakToy,
} from '../src/index.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('onnx');
});
afterAll(() => engine.dispose());

describe('the recall probe', () => {
  it('the default preset tells a fact of the first chunk after 6 and 16 chunks; chance is 0.125', async () => {
    const { accuracies } = await recallProbe(engine, {
      steps: 1000,
      seed: 0,
      testChunks: [6, 16],
      samples: 128,
    });
    const [near, far] = accuracies.map(({ exact }) => exact.value);
    expect(near).toBeGreaterThan(0.9);
    expect(far).toBeGreaterThan(0.9);
  });
});

describe('the leak', () => {
  const time = 8;
  const shape = {
    vocabSize: LEAK_VOCABULARY,
    hiddenSize: 32,
    numLayers: 2,
    numMemorySlots: 4,
    windowSize: time,
  };
  const check = async (preset: 'parity' | 'parallel' | 'causal') => {
    const model = createRsmModel({ ...shape, preset, dropout: 0, useGlobalSync: false });
    const params = await trainOnLeakToy(engine, model, { time, steps: 600 });
    const tokens = new LeakToy(512, time, 99).next().inputs.data as Int32Array;
    return checkLeak(engine, model.options, params, tokens, time, { positions: [0] });
  };

  it("the reference's wiring sees the symbol that nothing foretells, and is lost without it", async () => {
    const { teacherForced, prefixOnly } = await check('parity');
    expect(teacherForced).toBeLessThan(0.1);
    expect(prefixOnly).toBeGreaterThan(Math.log(8));
  });

  it.each(['parallel', 'causal'] as const)('the preset %s sees nothing', async (preset) => {
    const { teacherForced, leak } = await check(preset);
    expect(teacherForced).toBeGreaterThan(Math.log(8) - 0.05);
    expect(Math.abs(leak)).toBeLessThan(1e-5);
  });
});

describe('retention at initialisation', () => {
  it('half of a disturbance outlives 4 chunks, and the slots stay apart', async () => {
    for (const seed of [0, 1, 2]) {
      const model = createRsmModel({
        vocabSize: 40,
        hiddenSize: 64,
        numLayers: 2,
        numMemorySlots: 16,
        windowSize: 16,
        dropout: 0,
      });
      const params = model.init(Rng.fromSeed(seed));
      const stream = new MemoryStream(engine, model, params);
      const rng = Rng.fromSeed(seed + 10);
      const texts = Array.from({ length: 4 }, () => Int32Array.from({ length: 16 * 10 }, () => rng.int(40)));
      const { halfLife, ratios, participation, cosines } = await measureRetention(stream, texts, {
        chunk: 16,
      });
      await stream.dispose();
      expect(ratios[0]).toBe(1);
      expect(halfLife).toBeGreaterThanOrEqual(4);
      expect(halfLife).toBeLessThan(10);
      expect(participation[8]).toBeGreaterThanOrEqual(8);
      expect(cosines).toHaveLength(10);
    }
  });
});

describe('the suite', () => {
  it('measures everything it promises, as JSON', async () => {
    const notes: string[] = [];
    const report = await evaluateRsm(engine, { size: 'smoke', onProgress: (_f, note) => notes.push(note) });
    expect(JSON.parse(JSON.stringify(report))).toMatchObject({ format: 'palimpsest-rsm-suite', version: 1 });
    expect(report.retrieval.accuracies.map(({ difficulty }) => difficulty)).toEqual([11, 27]);
    expect(report.chain.accuracies.map(({ difficulty }) => difficulty)).toEqual([1, 2]);
    expect(Object.keys(report.memory)).toEqual(['intact', 'freezeWrites', 'zeroMemory', 'shuffleMemory']);
    expect(report.probe.map(({ age }) => age)).toEqual([0, 2]);
    expect(report.probe[0]!.slots).toHaveLength(8);
    expect(report.retention.ratios).toHaveLength(7);
    expect(report.retention.slotHalfLives).toHaveLength(8);
    expect(report.architecture.map(({ slots }) => slots)).toEqual([2, 4]);
    expect(report.architecture[1]!.stateBytes).toBeGreaterThan(report.architecture[0]!.stateBytes);
    expect(Math.abs(report.leak.model.leak)).toBeLessThan(1e-5);
    expect(notes.some((note) => note.startsWith('retrieval: step 30 of 30'))).toBe(true);
    await expect(evaluateRsm(engine, { size: 'huge' as never })).rejects.toThrow("no size 'huge'");
  });

  it('older text helps a model only if it says so: an untrained one reads all contexts about equally', async () => {
    const model = createRsmModel({
      vocabSize: 12,
      hiddenSize: 16,
      numLayers: 1,
      numHeads: 2,
      numMemorySlots: 4,
      windowSize: 8,
      dropout: 0,
    });
    const stream = new MemoryStream(engine, model, model.init(Rng.fromSeed(0)));
    const rng = Rng.fromSeed(1);
    const text = Int32Array.from({ length: 400 }, () => rng.int(12));
    const gains = await measureContextGain(stream, text, { chunk: 8, contexts: [1, 4], windows: 32 });
    await stream.dispose();
    expect(gains.map(({ chunks }) => chunks)).toEqual([1, 4]);
    for (const { loss, bits, standardError } of gains) {
      expect(loss).toBeGreaterThan(Math.log(12) - 0.2);
      expect(bits).toBeCloseTo(loss / Math.LN2, 12);
      expect(standardError).toBeLessThan(0.2);
    }
  });
});
