import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEngine, type Engine } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { byteTokenizer, encodeWithSpecials } from '../src/data/special-tokens.js';
import { finetune } from '../src/pretraining/finetune.js';
import { instructionExample } from '../src/pretraining/instruction-pairs.js';
import { preprocess, preprocessSchema } from '../src/pretraining/preprocess.js';
import { configTemplates, pretrain, type StageEvent } from '../src/pretraining/stages.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('cpu');
});
afterAll(() => engine.dispose());

const write = (folder: string, file: string, value: unknown) =>
  writeFileSync(join(folder, file), JSON.stringify(value));

/** A folder with texts, their bins, and the four files of a tiny run. */
function prepared(): string {
  const folder = mkdtempSync(join(tmpdir(), 'om-pretrain-'));
  mkdirSync(join(folder, 'texts'));
  write(folder, 'texts/a.json', ['to be or not to be', 'that is the question']);
  write(folder, 'texts/b.json', ['whether it is nobler in the mind to suffer', 'the slings and arrows']);
  preprocess(
    preprocessSchema.parse({
      input: join(folder, 'texts'),
      output: join(folder, 'bins'),
      cutoffs: [30],
      chunkSize: 2,
    }),
  );
  const options = {
    ...{ numLayers: 1, dimInput: 8, dimHidden: 8, dimsKey: [4], dimsValue: [4], numHeads: 2 },
    ...{ segmentLen: 4, stateLen: 2, initNgrams: [2, 3] },
  };
  write(folder, 'data.json', { sources: [{ folder: 'bins', proportion: 1 }] });
  write(folder, 'model.json', { preset: 'small', options });
  write(folder, 'paths.json', { checkpoints: 'stages' });
  const settings = { optimizer: 'schedule-free-adamw', schedule: 'constant', learningRate: 1e-2, steps: 4 };
  const stages = [
    { segments: 2, batchSize: 2 },
    { segments: 3, batchSize: 1, steps: 3 },
  ];
  write(folder, 'training.json', { settings, stages });
  return folder;
}

async function run(folder: string, stopAfter = Infinity): Promise<StageEvent[]> {
  const events: StageEvent[] = [];
  const abort = new AbortController();
  let steps = 0;
  for await (const event of pretrain(engine, folder, abort.signal)) {
    events.push(event);
    if (event.event?.type === 'step') steps += 1;
    if (steps >= stopAfter) abort.abort();
  }
  return events;
}

const losses = (events: readonly StageEvent[]) =>
  events.flatMap(({ event }) => (event?.type === 'step' ? [event.loss] : []));

describe('preprocessing', () => {
  it('writes bins of ids with marks, counts and the tokenizer, and refuses an output that exists', () => {
    const folder = prepared();
    expect(readdirSync(join(folder, 'bins')).sort()).toEqual([
      '0-30',
      '30+',
      'tokenizer.json',
      'tokens_summary.json',
    ]);
    const [first] = JSON.parse(readFileSync(join(folder, 'bins/0-30/0000000000.json'), 'utf8')) as number[][];
    expect(first![0]).toBe(257);
    expect(first!.at(-1)).toBe(256);
    expect(byteTokenizer().decode(first!.slice(1, -1))).toBe('to be or not to be');
    const again = preprocessSchema.parse({ input: join(folder, 'texts'), output: join(folder, 'bins') });
    expect(() => preprocess(again)).toThrow('exists; remove it or choose another output folder.');
  });

  it('keeps special tokens in a text apart', () => {
    expect(encodeWithSpecials(byteTokenizer(), 'a<|im_end|><|pad|>b')).toEqual([97, 256, 258, 98]);
  });
});

describe('fine-tuning on instructions', () => {
  it('learns the answer and the mark behind it, and reads the rest only', () => {
    const { ids, learnt } = instructionExample(byteTokenizer(), { instruction: 'ab', answer: 'c' });
    expect(ids).toEqual([257, 97, 98, 256, 257, 99, 256]);
    expect(learnt).toEqual([0, 0, 0, 0, 0, 1, 1]);
  });

  it('lowers the loss of the answers, from a pretrained stage', async () => {
    const folder = prepared();
    await run(folder);
    const pairs = join(folder, 'pairs.jsonl');
    writeFileSync(pairs, '{"instruction": "2+2", "answer": "4"}\n{"instruction": "1+1", "answer": "2"}\n');
    const seen: number[] = [];
    const options = {
      ...{ from: join(folder, 'stages/stage1'), pairs, folder: join(folder, 'tuned'), batchSize: 2 },
      settings: { steps: 30, learningRate: 2e-2 },
    };
    for await (const event of finetune(engine, options)) if (event.type === 'step') seen.push(event.loss);
    expect(seen.at(-1)!).toBeLessThan(seen[0]! / 2);
    writeFileSync(pairs, '{"instruction": "2+2"}');
    await expect(finetune(engine, options).next()).rejects.toThrow('Line 1 of');
  }, 120_000);
});

describe('pretraining in stages', () => {
  it('runs every stage, each from the weights of the one before, and passes over what is done', async () => {
    const folder = prepared();
    const events = await run(folder);
    expect(losses(events)).toHaveLength(7);
    expect(existsSync(join(folder, 'stages/stage1/FINAL.json'))).toBe(true);
    const again = await run(folder);
    expect(again.map(({ stage, event }) => [stage, event])).toEqual([
      [0, undefined],
      [1, undefined],
    ]);
  }, 120_000);

  it('goes on exactly where it was interrupted', async () => {
    const [whole, parts] = [prepared(), prepared()];
    const expected = losses(await run(whole));
    // Of the settings of all stages, and of the second stage's own.
    expect(expected.length).toBe(4 + 3);
    const first = await run(parts, 2);
    expect(first.at(-1)!.event?.type).toBe('interrupted');
    expect([...losses(first), ...losses(await run(parts))]).toEqual(expected);
  }, 120_000);

  it('says which file does not fit', async () => {
    const folder = prepared();
    write(folder, 'training.json', { stages: [] });
    await expect(run(folder)).rejects.toThrow(/training\.json' does not fit at 'stages'/);
    expect(Object.keys(configTemplates())).toEqual([
      'data.json',
      'model.json',
      'training.json',
      'paths.json',
    ]);
  });
});
