import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadFrozen } from '@palimpsest/backbone';
import {
  type AnySequenceModel,
  loadCorpus,
  prepareText,
  runDataSchema,
  type TrainingEvent,
  train,
} from '@palimpsest/lm';
import { createEngine, type Engine, type NDArray } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  describeModel,
  exportAdapters,
  exportFolder,
  openCheckpoint,
  openLanguageModel,
  openPretrainedStart,
  standardRegistry,
  trainRun,
} from '../src/index.js';
import { arraysOf, eventsOf, logitsOf, lossesOf } from './support/runs.js';

const root = mkdtempSync(join(tmpdir(), 'palimpsest-lora-runs-'));
const golden = fileURLToPath(new URL('../../backbone/test/golden', import.meta.url));
const text = join(root, 'tides.txt');
const base = join(root, 'base');
let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('onnx', { threads: 1 });
  writeFileSync(text, 'the tide comes in, the tide goes out. '.repeat(60));
  cpSync(join(golden, 'hf/tiny-qwen2'), base, { recursive: true });
});
afterAll(async () => {
  await engine.dispose();
  rmSync(root, { recursive: true, force: true });
});

const architecture = standardRegistry.architecture('transformer');
const data = runDataSchema.parse({ batchSize: 4, seqLen: 12, validationFraction: 0.2 });
const settings = { steps: 8, seed: 3, learningRate: 1e-2, validateEvery: 4, sampleEvery: 0 };
const lora = { rank: 4, alpha: 8 };

async function newRun(folder = base, adapters: typeof lora | 'whole' = lora) {
  const pretrained = await openPretrainedStart(
    folder,
    architecture,
    {},
    undefined,
    adapters === 'whole' ? undefined : adapters,
  );
  return { architecture, modelOptions: {}, text, data, settings, pretrained };
}

const farthest = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i]!)));

describe('training adapters beside a checkpoint folder', () => {
  it("begins with the folder's loss to the bit, learns, and keeps adapters alone", async () => {
    const folder = join(root, 'whole');
    const run = await newRun();
    const events = await eventsOf(trainRun({ engine, folder, run }));
    const losses = lossesOf(events);
    const frozen = await loadFrozen(base, '32bit');
    const prepared = prepareText(loadCorpus(text, data.layout), data, settings.seed, frozen.tokenizer);
    // The same loss by the same step, of weights that do not learn.
    const asGiven = await eventsOf(
      train({
        engine,
        model: { ...frozen.model, parameterGroups: () => [{ match: /./, frozen: true }] } as AnySequenceModel,
        params: frozen.params,
        ...prepared,
        settings: { ...settings, steps: 1, validateEvery: 0 },
      }),
    );
    expect(losses[0]).toBe(lossesOf(asGiven)[0]);
    expect(losses.at(-1)).toBeLessThan(losses[0]! - 0.5);

    const [start] = events;
    const { layers, modelWidth: d, mlpWidth: f, heads, keyValueHeads, headWidth } = frozen.model.options;
    const width = heads * headWidth;
    const attention = 2 * (d + width) + 2 * (d + keyValueHeads * headWidth);
    expect(start).toMatchObject({ type: 'start', parameters: layers * 4 * (attention + 3 * (d + f)) });
    const saved = join(folder, 'latest');
    const bytes = readdirSync(saved).map((name) => [name, statSync(join(saved, name)).size] as const);
    const size = 4 * (start as { parameters: number }).parameters;
    const sizes = Object.fromEntries(bytes);
    expect(sizes['model.safetensors']! - size).toBeLessThan(8000);
    expect(sizes['optimizer.safetensors']! - 2 * size).toBeLessThan(12_000);
    expect((await openCheckpoint(folder)).model.config.lora).toEqual({
      ...lora,
      targets: ['q', 'k', 'v', 'o', 'gate', 'up', 'down'],
      family: 'qwen2',
      base: { folder: base, parametersId: frozen.parametersId },
    });
    await frozen.dispose();
  });

  it('goes on after an interruption as if there had been none', async () => {
    const folder = join(root, 'interrupted');
    const abort = new AbortController();
    const before: TrainingEvent[] = [];
    for await (const event of trainRun({ engine, folder, run: await newRun(), signal: abort.signal })) {
      before.push(event);
      if (event.type === 'step' && event.step === 3) abort.abort();
    }
    const after = await eventsOf(
      trainRun({ engine, folder, run: { checkpoint: await openCheckpoint(folder), settings: {} } }),
    );
    const lines = readFileSync(join(root, 'whole', 'metrics.jsonl'), 'utf8')
      .trim()
      .split('\n');
    const whole = lines.map((line): TrainingEvent => JSON.parse(line));
    expect([...lossesOf(before), ...lossesOf(after)]).toEqual(lossesOf(whole));
    const [once, twice] = [await openCheckpoint(join(root, 'whole')), await openCheckpoint(folder)];
    expect(arraysOf(twice.params)).toEqual(arraysOf(once.params));
  });

  it('is read with the adapters in the weights, and exported as a folder that is the same model', async () => {
    const run = join(root, 'whole');
    const { model, params } = await openCheckpoint(run);
    const read = await openLanguageModel(run);
    expect(read.model.config).not.toHaveProperty('lora');
    const given = await openLanguageModel(base);
    const tokens = given.tokenizer.encode('the tide comes');
    const ids = { data: tokens, shape: [1, tokens.length], dtype: 'int32' } as NDArray;
    const merged = await logitsOf(engine, read.model, read.params, ids);
    expect(farthest(merged, await logitsOf(engine, given.model, given.params, ids))).toBeGreaterThan(0.1);
    const { pretrained } = await newRun();
    const adapted = await logitsOf(engine, pretrained.model as AnySequenceModel, params, ids);
    expect(farthest(merged, adapted)).toBeLessThan(1e-5);
    expect(model.config).toEqual(pretrained.model.config);

    const out = join(root, 'merged');
    await exportFolder(run, out);
    const again = await openLanguageModel(out);
    expect(farthest(await logitsOf(engine, again.model, again.params, ids), merged)).toBe(0);
    expect(again.encodeStart('tide')).toEqual(given.encodeStart('tide'));
  });

  it('writes adapters as PEFT does, which are read, described and trained further', async () => {
    const out = join(root, 'adapters');
    await exportAdapters(join(root, 'whole'), out);
    const [whole, adapters] = [await openLanguageModel(join(root, 'whole')), await openLanguageModel(out)];
    expect(arraysOf(adapters.params)).toEqual(arraysOf(whole.params));
    expect((await describeModel(out)).text).toContain('rank 4, alpha 8, beside q, k, v, o, gate, up, down');
    const further = await eventsOf(
      trainRun({ engine, folder: join(root, 'further'), run: await newRun(out, 'whole') }),
    );
    const lines = readFileSync(join(root, 'whole', 'metrics.jsonl'), 'utf8');
    const first = lines.split('\n').map((line) => (line ? JSON.parse(line).loss : undefined));
    expect(lossesOf(further)[0]).toBeLessThan(first.find((loss) => loss !== undefined) - 0.3);
    await expect(newRun(out)).rejects.toThrow('holds adapters, which are trained further as they are');
    await expect(openLanguageModel(out, standardRegistry, { weights: '8bit' })).rejects.toThrow(
      'added to weights of 32 bits',
    );
    const window = await openLanguageModel(out, standardRegistry, { window: 9 });
    expect(window.model.config).toMatchObject({ window: 9 });
  });

  it('stands beside a GGUF file too', async () => {
    const gguf = join(golden, 'gguf/tiny-qwen2.gguf');
    const folder = join(root, 'beside-gguf');
    const events = await eventsOf(trainRun({ engine, folder, run: await newRun(gguf) }));
    expect(lossesOf(events).at(-1)).toBeLessThan(lossesOf(events)[0]! - 0.3);
    expect((await openLanguageModel(folder)).tokenizer.decode([5, 6])).toBeTypeOf('string');
    await expect(newRun(gguf, 'whole')).rejects.toThrow('train adapters beside it (--lora)');
  });

  it('says what is missing when the base has changed or is gone', async () => {
    const folder = join(root, 'whole');
    const place = join(base, 'model-00001-of-00002.safetensors');
    const bytes = readFileSync(place);
    const changed = Buffer.from(bytes);
    changed[8 + Number(bytes.readBigUInt64LE(0)) + 1]! ^= 0x08;
    writeFileSync(place, changed);
    const goOn = async () =>
      eventsOf(
        trainRun({
          engine,
          folder,
          run: { checkpoint: await openCheckpoint(folder), settings: { steps: 9 } },
        }),
      );
    await expect(openLanguageModel(folder)).rejects.toThrow(`The weights of '${base}' have changed since`);
    await expect(goOn()).rejects.toThrow('the adapters no longer fit');
    rmSync(base, { recursive: true });
    await expect(openLanguageModel(folder)).rejects.toThrow('bring those back to that place');
    await expect(goOn()).rejects.toThrow('where nothing stands any more');
    expect((await describeModel(folder)).text).toContain('"rank":4');
  });

  it('refuses to freeze what does not learn anyway, and to export what it is not', async () => {
    const folder = join(root, 'plain');
    cpSync(join(golden, 'hf/tiny-qwen2'), base, { recursive: true });
    const frozen = trainRun({ engine, folder, run: { ...(await newRun()), frozen: ['blocks'] } });
    await expect(eventsOf(frozen)).rejects.toThrow("'blocks' need not be frozen");
    const whole = await newRun(base, 'whole');
    const shorter = { ...whole, settings: { ...settings, steps: 1 } };
    await eventsOf(trainRun({ engine, folder, run: shorter }));
    await expect(exportAdapters(folder, join(root, 'none'))).rejects.toThrow('has no adapters');
    await exportFolder(folder, join(root, 'plain-folder'));
    const [run, written] = [
      await openLanguageModel(folder),
      await openLanguageModel(join(root, 'plain-folder')),
    ];
    expect(arraysOf(written.params)).toEqual(arraysOf(run.params));
  });
});
