import { createEngine, type Engine, Rng } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ByteTokenizer, CharacterTokenizer, evaluateText, NgramModel } from '../../src/index.js';
import { counter } from '../support/counter.js';
import { gatedRecurrence } from '../support/gated-recurrence.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('cpu');
});
afterAll(async () => {
  expect(engine.memory().arrays).toBe(0);
  await engine.dispose();
});

const NORMALISER = Math.log(Math.exp(5) + 9);

describe('evaluateText', () => {
  it('gives loss, perplexity, accuracy and bits of a model whose predictions are known', async () => {
    const model = counter(10);
    const params = model.init(Rng.fromSeed(0));
    const tokenizer = CharacterTokenizer.fromText('abcdefghij');
    // Five successors and two jumps (d to b, c to j).
    const ids = tokenizer.encode('abcdbcjab');
    const hits = 6;
    const misses = 2;
    const result = await evaluateText(engine, model, params, ids, { chunk: 3, tokenizer });
    const loss = (hits * (NORMALISER - 5) + misses * NORMALISER) / 8;
    expect(result.tokens).toBe(8);
    expect(result.loss).toBeCloseTo(loss, 6);
    expect(result.perplexity).toBeCloseTo(Math.exp(loss), 5);
    expect(result.accuracy).toBe(hits / 8);
    expect(result.bitsPerCharacter).toBeCloseTo(loss / Math.LN2, 6);
    expect(result.bitsPerByte).toBeCloseTo(loss / Math.LN2, 6);
  });

  it('counts bits per character and per byte apart where characters have several bytes', async () => {
    const model = gatedRecurrence({ vocabSize: 256, width: 4, dropout: 0 });
    const params = model.init(Rng.fromSeed(0));
    const tokenizer = new ByteTokenizer();
    const ids = tokenizer.encode('xé€😀é');
    const { loss, bitsPerByte, bitsPerCharacter } = await evaluateText(engine, model, params, ids, {
      tokenizer,
    });
    // After the first byte: é, €, 😀, é are 4 characters of 11 bytes.
    expect(bitsPerByte).toBeCloseTo(loss / Math.LN2, 10);
    expect(bitsPerCharacter).toBeCloseTo((11 / 4) * bitsPerByte!, 10);
  });

  it('streams with the memory carried, and windows with a fresh one', async () => {
    // The adding counter says the sum of all tokens read; a window's sum begins at 0.
    const model = counter(10, true);
    const params = model.init(Rng.fromSeed(0));
    const sums = [1, 1, 2, 4, 8, 6, 2, 4, 8, 6, 2];
    const ids = Int32Array.from(sums);
    const streaming = await evaluateText(engine, model, params, ids, { chunk: 4 });
    expect(streaming.accuracy).toBe(1);
    expect(streaming.loss).toBeCloseTo(NORMALISER - 5, 6);
    const windowed = await evaluateText(engine, model, params, ids, {
      chunk: 4,
      lanes: 2,
      regime: 'windowed',
    });
    const expected = sums.slice(1).filter((target, index) => {
      const window = Math.floor(index / 4) * 4;
      return sums.slice(window, index + 1).reduce((a, b) => a + b) % 10 === target;
    });
    expect(expected.length).toBeLessThan(10);
    expect(windowed.accuracy).toBe(expected.length / 10);
  });

  it('scores every token but the first once, whatever the chunk and the lanes', async () => {
    const model = gatedRecurrence({ vocabSize: 5, width: 4, dropout: 0 });
    const params = model.init(Rng.fromSeed(2));
    const rng = Rng.fromSeed(8);
    const ids = Int32Array.from({ length: 701 }, () => rng.int(5));
    const one = await evaluateText(engine, model, params, ids, { chunk: 700 });
    expect(one.tokens).toBe(700);
    expect(one.buckets.map(({ from, to, tokens }) => [from, to, tokens])).toEqual([
      [0, 128, 128],
      [128, 512, 384],
      [512, 2048, 188],
    ]);
    const weighted = one.buckets.reduce((sum, { tokens, loss }) => sum + tokens * loss, 0) / 700;
    expect(weighted).toBeCloseTo(one.loss, 12);
    for (const chunk of [1, 64, 333]) {
      const other = await evaluateText(engine, model, params, ids.subarray(0, 120), { chunk });
      const whole = await evaluateText(engine, model, params, ids.subarray(0, 120), { chunk: 119 });
      expect(other.loss).toBeCloseTo(whole.loss, 6);
    }
    const lanes = await evaluateText(engine, model, params, ids, { chunk: 50, lanes: 3 });
    expect(lanes.tokens).toBe(700);
    const parts = [
      [0, 233],
      [233, 466],
      [466, 700],
    ] as const;
    let sum = 0;
    for (const [from, to] of parts) {
      const part = await evaluateText(engine, model, params, ids.subarray(from, to + 1), { chunk: 50 });
      sum += part.loss * part.tokens;
    }
    expect(lanes.loss).toBeCloseTo(sum / 700, 6);
    const many = { chunk: 16, regime: 'windowed' } as const;
    const [a, b] = [
      await evaluateText(engine, model, params, ids, { ...many, lanes: 1 }),
      await evaluateText(engine, model, params, ids, { ...many, lanes: 7 }),
    ];
    expect(a.loss).toBeCloseTo(b.loss, 6);
    expect([a.tokens, b.tokens]).toEqual([700, 700]);
  });

  it('never beats the source: uniform noise costs log V, as for the n-gram floor', async () => {
    const model = gatedRecurrence({ vocabSize: 5, width: 4, dropout: 0 });
    const rng = Rng.fromSeed(1);
    const ids = Int32Array.from({ length: 2000 }, () => rng.int(5));
    const result = await evaluateText(engine, model, model.init(Rng.fromSeed(0)), ids, {
      chunk: 250,
      lanes: 4,
    });
    const floor = new NgramModel(ids.subarray(0, 1000), { order: 1, vocabSize: 5 }).evaluate(
      ids.subarray(1000),
    )[0]!;
    expect(result.loss).toBeGreaterThan(Math.log(5) - 0.02);
    expect(Math.abs(floor - Math.log(5))).toBeLessThan(0.02);
  });

  it('stops when aborted, and refuses what cannot be measured', async () => {
    const model = counter(10);
    const params = model.init(Rng.fromSeed(0));
    const ids = Int32Array.of(1, 2, 3);
    await expect(evaluateText(engine, model, params, ids.subarray(0, 1))).rejects.toThrow(
      'at least two tokens',
    );
    await expect(evaluateText(engine, model, params, ids, { lanes: 0 })).rejects.toThrow('lanes 0');
    const aborted = await evaluateText(engine, model, params, ids, { signal: AbortSignal.abort() });
    expect(aborted.tokens).toBe(0);
  });
});
