import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEngine, type NDArray, Rng, treeToRecord } from '@palimpsest/tensor-core';
import { afterAll, describe, expect, it } from 'vitest';
import { CharacterTokenizer, ContiguousLanes, loadCheckpoint, train } from '../../src/index.js';
import { collect, endOf, traceOf } from '../support/collect.js';
import { gatedRecurrence, testModels } from '../support/gated-recurrence.js';

// Above 1,024 rows the gradient of an embedding adds rows where they belong, and with 4,096 tokens of 64 numbers two
// threads would add to one row at a time if they could.
const VOCABULARY = 1500;
const WIDTH = 64;
const BATCH = { batch: 256, time: 16 };

const tokenizer = CharacterTokenizer.fromText(
  String.fromCodePoint(...Array.from({ length: VOCABULARY }, (_, index) => 0x4e00 + index)),
);
/** Ids as frequent as words: the n-th with a share of about 1/n. */
const rng = Rng.fromSeed(11);
const ids = Int32Array.from({ length: 30_000 }, () =>
  Math.min(VOCABULARY - 1, Math.floor(VOCABULARY ** rng.uniform()) - 1),
);
const model = gatedRecurrence({ vocabSize: tokenizer.vocabSize, width: WIDTH, dropout: 0.1 });
const settings = { steps: 5, learningRate: 0.01, seed: 4 };
const makeSource = () => new ContiguousLanes(ids, BATCH);

const folder = mkdtempSync(join(tmpdir(), 'palimpsest-lm-vocabulary-'));
const engine = await createEngine('onnx', { threads: 2 });
afterAll(async () => {
  await engine.dispose();
  rmSync(folder, { recursive: true, force: true });
});

describe('a large vocabulary on two threads', () => {
  it('gives the same numbers for the same seed, whole or resumed', async () => {
    expect(tokenizer.vocabSize).toBeGreaterThan(1024);
    const common = { engine, model, tokenizer, settings };
    const whole = await collect(train({ ...common, source: makeSource() }));
    const again = await collect(train({ ...common, source: makeSource() }));
    expect(traceOf(again)).toEqual(traceOf(whole));
    const numbers = (events: typeof whole) => treeToRecord<NDArray>(endOf(events).params);
    expect(numbers(again)).toEqual(numbers(whole));

    const controller = new AbortController();
    const first = [];
    for await (const event of train({ ...common, source: makeSource(), folder, signal: controller.signal })) {
      first.push(event);
      if (event.type === 'step' && event.step === 2) controller.abort();
    }
    const resume = await loadCheckpoint(folder, testModels);
    const second = await collect(train({ engine, model, source: makeSource(), resume }));
    expect([...traceOf(first), ...traceOf(second)]).toEqual(traceOf(whole));
    expect(numbers(second)).toEqual(numbers(whole));
  });
});
