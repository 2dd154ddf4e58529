import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEngine, type EngineName, type NDArray, treeToRecord } from '@palimpsest/tensor-core';
import { afterAll, describe, expect, it } from 'vitest';
import {
  CharacterTokenizer,
  ContiguousLanes,
  corpusText,
  encodeCorpus,
  evaluateText,
  generateStories,
  generateText,
  loadCheckpoint,
  Session,
  train,
} from '../../src/index.js';
import { collect, endOf, stepsOf, traceOf } from '../support/collect.js';
import { gatedRecurrence, testModels } from '../support/gated-recurrence.js';

const corpus = generateStories({ characters: 4000, seed: 3 });
const tokenizer = CharacterTokenizer.fromText(corpusText(corpus));
const { ids } = encodeCorpus(tokenizer, corpus);
const model = gatedRecurrence({ vocabSize: tokenizer.vocabSize, width: 10, dropout: 0.1 });
const settings = { steps: 6, learningRate: 0.01, seed: 2 };
const makeSource = () => new ContiguousLanes(ids, { batch: 2, time: 6 });

const folder = mkdtempSync(join(tmpdir(), 'palimpsest-lm-engines-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('training, evaluation and generation on the traced engine', () => {
  it('agree with the cpu engine', async () => {
    const results = [];
    for (const name of ['cpu', 'onnx'] as const satisfies readonly EngineName[]) {
      const engine = await createEngine(name);
      const events = await collect(train({ engine, model, source: makeSource(), settings }));
      const { params } = endOf(events);
      const { loss, accuracy } = await evaluateText(engine, model, params, ids.subarray(0, 300), {
        chunk: 32,
        lanes: 2,
      });
      const session = await Session.create({ engine, model, params, sampling: { temperature: 0 } });
      const text = await generateText({
        session,
        tokenizer,
        prompt: 'Ada the baker had a',
        maximumTokens: 12,
      });
      await session.dispose();
      expect(engine.memory().arrays).toBe(0);
      results.push({ losses: stepsOf(events).map((event) => event.loss), loss, accuracy, text });
      await engine.dispose();
    }
    const [cpu, onnx] = results;
    onnx!.losses.forEach((loss, index) => {
      expect(Math.abs(loss - cpu!.losses[index]!)).toBeLessThan(1e-5);
    });
    expect(Math.abs(onnx!.loss - cpu!.loss)).toBeLessThan(1e-5);
    expect(onnx!.accuracy).toBeCloseTo(cpu!.accuracy, 2);
    expect(onnx!.text).toBe(cpu!.text);
  });

  it('resume exactly as if they had never stopped', async () => {
    const engine = await createEngine('onnx');
    const common = { engine, model, tokenizer, settings };
    const whole = await collect(train({ ...common, source: makeSource() }));
    const controller = new AbortController();
    const first = [];
    for await (const event of train({ ...common, source: makeSource(), folder, signal: controller.signal })) {
      first.push(event);
      if (event.type === 'step' && event.step === 3) controller.abort();
    }
    const resume = await loadCheckpoint(folder, testModels);
    const second = await collect(train({ engine, model, source: makeSource(), resume }));
    expect([...traceOf(first), ...traceOf(second)]).toEqual(traceOf(whole));
    expect(treeToRecord<NDArray>(endOf(second).params)).toEqual(treeToRecord<NDArray>(endOf(whole).params));
    expect(engine.memory().arrays).toBe(0);
    await engine.dispose();
  });
});
