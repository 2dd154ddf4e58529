import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTransformer, saveFolder, type TransformerParameters } from '@palimpsest/backbone';
import { loadCorpus, prepareText, runDataSchema, type TrainingEvent } from '@palimpsest/lm';
import { createEngine, type Engine, type NDArray, Rng } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  openCheckpoint,
  openLanguageModel,
  openPretrainedStart,
  standardRegistry,
  trainRun,
} from '../src/index.js';
import { arraysOf, eventsOf, logitsOf, lossesOf } from './support/runs.js';

const root = mkdtempSync(join(tmpdir(), 'palimpsest-fine-tuning-'));
const text = join(root, 'tides.txt');
const base = join(root, 'base');
let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('cpu');
  writeFileSync(text, 'the tide comes in, the tide goes out. '.repeat(60));
  await writeFolder(base);
});
afterAll(async () => {
  await engine.dispose();
  rmSync(root, { recursive: true, force: true });
});

const characters = ['<s>', '</s>', ...' abcdefghijklmnopqrstuvwxyz,.'];
const special = (id: number) => ({
  id,
  content: characters[id]!,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
});
const tokenizer = {
  version: '1.0',
  added_tokens: [special(0), special(1)],
  model: {
    type: 'BPE',
    vocab: Object.fromEntries(characters.map((character, id) => [character, id])),
    merges: [],
  },
  post_processor: {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    pair: [],
    special_tokens: { '<s>': { id: '<s>', ids: [0], tokens: ['<s>'] } },
  },
  decoder: { type: 'Fuse' },
};
const chatTemplate = '{{ bos_token }}{% for m in messages %}{{ m.role }}, {{ m.content }}. {% endfor %}';

/** A Llama folder of two blocks. */
async function writeFolder(folder: string, vocabSize = 40): Promise<void> {
  const model = createTransformer({
    vocabSize,
    context: 32,
    layers: 2,
    heads: 2,
    keyValueHeads: 1,
    modelWidth: 16,
    mlpWidth: 24,
    norm: 'rms',
    activation: 'swiglu',
    tiedHead: false,
  });
  const params = model.init(Rng.fromSeed(5)) as TransformerParameters<NDArray>;
  const tokenizerConfig = { bos_token: '<s>', eos_token: '</s>', chat_template: chatTemplate };
  await saveFolder(folder, { family: 'llama', model, params, tokenizer, tokenizerConfig, endIds: [1, 3] });
  writeFileSync(join(folder, 'generation_config.json'), '{"do_sample": true, "top_k": 7}');
}

const architecture = standardRegistry.architecture('transformer');
const data = runDataSchema.parse({ batchSize: 4, seqLen: 12, validationFraction: 0 });
const settings = { steps: 8, seed: 3, learningRate: 1e-2, validateEvery: 0, sampleEvery: 0 };

async function newRun(frozen: readonly string[] = []) {
  const pretrained = await openPretrainedStart(base, architecture, {});
  return { architecture, modelOptions: {}, text, data, settings, frozen, pretrained };
}

/** Mean negative log-likelihood of the targets. */
function lossOf(logits: Float32Array, targets: ArrayLike<number>): number {
  const width = logits.length / targets.length;
  const costs = Array.from(targets, (target, i) => {
    const row = logits.subarray(i * width, (i + 1) * width);
    return Math.log(row.reduce((sum, value) => sum + Math.exp(value), 0)) - row[target]!;
  });
  return costs.reduce((sum, cost) => sum + cost, 0) / costs.length;
}

describe('fine-tuning a checkpoint folder', () => {
  it("begins with the folder's loss, learns, and saves what it learnt", async () => {
    const folder = join(root, 'whole');
    const events = await eventsOf(trainRun({ engine, folder, run: await newRun() }));
    const losses = lossesOf(events);
    const given = await openLanguageModel(base);
    const { source } = prepareText(loadCorpus(text, data.layout), data, settings.seed, given.tokenizer);
    const { inputs, targets } = source.next();
    const first = lossOf(await logitsOf(engine, given.model, given.params, inputs), targets.data);
    expect(losses[0]).toBeCloseTo(first, 5);
    expect(losses.at(-1)).toBeLessThan(losses[0]! - 0.3);

    const saved = await openLanguageModel(folder);
    const end = events.at(-1);
    if (end?.type !== 'end') throw new Error('The run did not end.');
    expect(arraysOf(saved.params)).toEqual(arraysOf(end.params));
    const logits = await logitsOf(engine, saved.model, saved.params, inputs);
    expect(logits).toEqual(await logitsOf(engine, given.model, end.params, inputs));
    expect(lossOf(logits, targets.data)).toBeLessThan(first - 0.3);
  });

  it("speaks with the folder's tokenizer, template, end ids and way of drawing", async () => {
    const [given, saved] = [await openLanguageModel(base), await openLanguageModel(join(root, 'whole'))];
    expect(saved.model.config).toEqual(given.model.config);
    expect(saved.encodeStart('tide')).toEqual(given.encodeStart('tide'));
    expect(saved.encodeStart('tide')[0]).toBe(0);
    expect(saved.endIds).toEqual([1, 3]);
    expect(saved.sampling).toEqual({ topK: 7 });
    const turns = [{ role: 'user', content: 'the tide' }];
    expect(saved.chatTemplate!.render(turns)).toBe('<s>user, the tide. ');
    expect((await openCheckpoint(join(root, 'whole'))).notes).toMatchObject({
      data: { tokenizer: 'file', tokenizerPath: base },
      pretrained: { folder: base, parametersId: given.parametersId },
    });
  });

  it('goes on after an interruption as if there had been none', async () => {
    const folder = join(root, 'interrupted');
    const abort = new AbortController();
    const before: TrainingEvent[] = [];
    for await (const event of trainRun({ engine, folder, run: await newRun(), signal: abort.signal })) {
      before.push(event);
      if (event.type === 'step' && event.step === 3) abort.abort();
    }
    expect(before.at(-1)!.type).toBe('interrupted');
    // The run holds all that it needs: the folder may be gone.
    const checkpoint = await openCheckpoint(folder);
    const after = await eventsOf(trainRun({ engine, folder, run: { checkpoint, settings: {} } }));
    const whole = readFileSync(join(root, 'whole', 'metrics.jsonl'), 'utf8')
      .trim()
      .split('\n');
    const events = whole.map((line): TrainingEvent => JSON.parse(line));
    expect([...lossesOf(before), ...lossesOf(after)]).toEqual(lossesOf(events));
    const [once, twice] = [await openCheckpoint(join(root, 'whole')), await openCheckpoint(folder)];
    expect(arraysOf(twice.params)).toEqual(arraysOf(once.params));
  });

  it('leaves frozen sets as the folder has them', async () => {
    const folder = join(root, 'frozen');
    await eventsOf(trainRun({ engine, folder, run: await newRun(['blocks']) }));
    const [given, saved] = [await openLanguageModel(base), await openLanguageModel(folder)];
    const before = arraysOf(given.params);
    const changed = Object.entries(arraysOf(saved.params)).filter(([path, values]) =>
      values.some((value, i) => value !== before[path]![i]),
    );
    expect(changed.map(([path]) => path).sort()).toEqual(['head.weight', 'norm.gain', 'tokenEmbedding']);
  });

  it('opens the cache and dropout to choice, and refuses what cannot be trained', async () => {
    const { model } = await openPretrainedStart(base, architecture, { window: 9, sinks: 2, dropout: 0.1 });
    expect(model.options).toMatchObject({ window: 9, sinks: 2, dropout: 0.1, layers: 2 });
    const refused = (folder: string, name = 'transformer') =>
      expect(openPretrainedStart(folder, standardRegistry.architecture(name), {})).rejects;
    await refused('model.GGUF').toThrow(
      "'model.GGUF' is a GGUF file, whose weights are read and not trained",
    );
    await refused(base, 'osam').toThrow("holds a transformer and no model 'osam'");
    const small = join(root, 'small');
    await writeFolder(small, 20);
    await refused(small).toThrow('has a tokenizer of 31 ids, but its model has 20');
    rmSync(join(small, 'tokenizer.json'));
    await refused(small).toThrow('has no tokenizer, so its model cannot be trained');
    const path = join(small, 'config.json');
    const config = {
      ...JSON.parse(readFileSync(path, 'utf8')),
      quantization_config: { quant_method: 'gptq' },
    };
    writeFileSync(path, JSON.stringify(config));
    await refused(small).toThrow('weights are quantised by gptq');
  });
});
