import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  generateStories,
  type JsonValue,
  prepareText,
  runDataSchema,
  type TrainingEvent,
  treeBytes,
} from '@palimpsest/lm';
import { createEngine, type Engine, type NDArray, Rng, treeLeaves } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  describeCheckpoint,
  exportOnnx,
  learningCurve,
  openCheckpoint,
  RunFolder,
  standardRegistry,
  trainRun,
} from '../src/index.js';

let engine: Engine;
const scratch = mkdtempSync(join(tmpdir(), 'palimpsest-runs-'));
beforeAll(async () => {
  engine = await createEngine('cpu');
});
afterAll(async () => {
  await engine.dispose();
  rmSync(scratch, { recursive: true, force: true });
});

const osam = standardRegistry.architecture('osam');
const modelOptions = { dModel: 8, sketchDim: 16, readoutHidden: 8 };
const data = runDataSchema.parse({ batchSize: 2, seqLen: 8, validationFraction: 0 });
const newRun = (steps: number, frozen: readonly string[] = []) => ({
  architecture: osam,
  modelOptions,
  text: 'default',
  data,
  settings: { steps, seed: 3 },
  frozen,
});

async function eventsOf(events: AsyncIterable<TrainingEvent>): Promise<TrainingEvent[]> {
  const all: TrainingEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

describe('trainRun', () => {
  it('writes checkpoints, metrics and a curve, and describes what it wrote', async () => {
    const folder = join(scratch, 'plain');
    const events = await eventsOf(trainRun({ engine, folder, run: newRun(3) }));
    expect(events.map(({ type }) => type)).toEqual([
      'start',
      'checkpoint',
      'step',
      'step',
      'step',
      'checkpoint',
      'end',
    ]);
    const lines = readFileSync(join(folder, 'metrics.jsonl'), 'utf8').trim().split('\n');
    expect(lines).toHaveLength(events.length);
    expect(readFileSync(join(folder, 'curve.svg'), 'utf8')).toContain('osam on default');
    const { params, tokenizer, model } = await openCheckpoint(folder);
    expect(tokenizer.vocabSize).toBe(17);
    const description = await describeCheckpoint(folder);
    expect(description).toMatchObject({ model: 'osam', vocabSize: 17, training: { step: 3, tokens: 48 } });
    expect(description.parameters * 4).toBe(treeBytes(params));
    await expect(eventsOf(trainRun({ engine, folder, run: newRun(1) }))).rejects.toThrow(
      'holds a run already',
    );
    const { inputs, outputs } = await exportOnnx(model, params, { batch: 3 });
    expect(inputs[0]!.shape).toEqual([3]);
    expect(outputs.find(({ path }) => path === 'logits')!.shape).toEqual([3, 17]);
  });

  it('goes on only with every setting that its text is read by', async () => {
    const folder = join(scratch, 'settings');
    await eventsOf(trainRun({ engine, folder, run: newRun(1) }));
    const checkpoint = await openCheckpoint(folder);
    const { data: stored, ...notes } = checkpoint.notes as { data: Record<string, JsonValue> };
    for (const lost of ['batchSize', 'reading', 'validationFraction']) {
      const { [lost]: _, ...rest } = stored;
      const run = { checkpoint: { ...checkpoint, notes: { ...notes, data: rest } }, settings: { steps: 2 } };
      const resumed = eventsOf(trainRun({ engine, folder, run }));
      await expect(resumed).rejects.toThrow(`config.json lacks the setting '${lost}' of its run's data`);
    }
  });

  it('leaves frozen parameters as they were, and trains the others', async () => {
    const folder = join(scratch, 'frozen');
    await eventsOf(trainRun({ engine, folder, run: newRun(2, ['phase']) }));
    const { params, model } = await openCheckpoint(folder);
    const before = new Map(
      treeLeaves<NDArray>(model.init(Rng.fromSeed(3))).map(({ path, leaf }) => [path, leaf.data]),
    );
    const changed = treeLeaves<NDArray>(params)
      .filter(({ path, leaf }) => leaf.data.some((value, index) => value !== before.get(path)![index]))
      .map(({ path }) => path);
    expect(changed).toContain('embedding');
    expect(changed.filter((path) => /theta|omega/.test(path))).toEqual([]);
    await expect(
      eventsOf(trainRun({ engine, folder: join(scratch, 'none'), run: newRun(1, ['nothing']) })),
    ).rejects.toThrow("no parameter set 'nothing' to freeze; it has phase");
  });
});

describe('prepareText', () => {
  const corpus = { name: 'alphabet', documents: ['abcdefghij'.repeat(40)] };

  it('keeps the end of the text for validation, in characters that training knows', () => {
    const prepared = prepareText(corpus, { ...data, validationFraction: 0.25 }, 1);
    expect(prepared.tokenizer.vocabSize).toBe(10);
    expect(prepared.validation).toHaveLength(100);
    expect(prepared.source).toMatchObject({ batch: 2, time: 8, carriesState: false });
  });

  it('reads lanes, bytes and merges, and corrupts inputs when asked', () => {
    expect(prepareText(corpus, { ...data, reading: 'lanes' }, 1).source.carriesState).toBe(true);
    const firsts = ([1, 1, 2] as const).map((seed) => {
      const { source } = prepareText(corpus, { ...data, reading: 'shifted-lanes' }, seed);
      const passes = Array.from({ length: 60 }, () => source.next()).filter(
        ({ resets }) => resets.data[0] === 1,
      );
      return passes.map(({ inputs }) => [...inputs.data].join());
    });
    expect(firsts[1]).toEqual(firsts[0]);
    expect(firsts[2]).not.toEqual(firsts[0]);
    expect(new Set(firsts[0]).size).toBeGreaterThan(1);
    expect(prepareText(corpus, { ...data, tokenizer: 'byte' }, 1).tokenizer.kind).toBe('byte');
    const stories = generateStories({ characters: 4000 });
    const merged = { ...data, tokenizer: 'bpe', bpeVocabulary: 300 } as const;
    expect(prepareText(stories, merged, 1).tokenizer.kind).toBe('bpe');
    const clean = prepareText(corpus, data, 1).source.next();
    const corrupted = prepareText(corpus, { ...data, corrupt: 1 }, 1).source.next();
    expect(corrupted.targets).toEqual(clean.targets);
    expect(corrupted.inputs).not.toEqual(clean.inputs);
  });
});

describe('RunFolder', () => {
  it('joins the curves of a run and its resume, the newer value of a step first', () => {
    const folder = new RunFolder(join(scratch, 'curve'));
    const step = (number: number, loss: number) => ({ type: 'step', step: number, loss }) as TrainingEvent;
    for (const event of [step(1, 3), step(2, 2), step(2, 2.5), step(3, 1)]) folder.record(event);
    folder.record({ type: 'validation', step: 3, isBest: true, result: { loss: 1.5 } } as TrainingEvent);
    expect(learningCurve(folder.path)).toEqual([
      { step: 1, loss: 3 },
      { step: 2, loss: 2.5 },
      { step: 3, loss: 1, validationLoss: 1.5 },
    ]);
  });
});

describe('an architecture', () => {
  it('names the architectures when there is none', () => {
    expect(() => standardRegistry.architecture('perceptron')).toThrow(
      "no architecture 'perceptron'; there are osam",
    );
    expect(() => osam.create(10, {}, 'magic')).toThrow(
      "no preset 'magic'; the presets are improved, reference, text",
    );
  });
});
