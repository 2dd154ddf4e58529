import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openCheckpoint } from '@palimpsest/harness';
import { evaluateText } from '@palimpsest/lm';
import { createEngine } from '@palimpsest/tensor-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { emptyFolder, palimpsest } from './support/cli.js';
import { trainedRun } from './support/trained.js';

const hugging = (name: string) =>
  fileURLToPath(new URL(`../../../packages/backbone/test/golden/hf/${name}`, import.meta.url));
const TEXT = 'hello world, hello corpus. '.repeat(12);

let run: string;
let text: string;
beforeAll(async () => {
  run = await trainedRun();
  text = join(emptyFolder(), 'text.txt');
  writeFileSync(text, TEXT);
});

const scoreOf = async (...args: string[]) => {
  const { code, stdout, stderr } = await palimpsest(['score', ...args, '--json', '--quiet']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
};

describe('palimpsest score', () => {
  it('reads a text from end to end as the one evaluation does, with bits per byte and the loss by distance', async () => {
    const { text: read } = await scoreOf(run, '--text-path', text);
    const engine = await createEngine('cpu');
    const { model, params, tokenizer } = await openCheckpoint(run);
    const expected = await evaluateText(engine, model, params, tokenizer.encode(TEXT), { tokenizer });
    await engine.dispose();
    expect(read.loss).toBeCloseTo(expected.loss, 4);
    expect(read).toMatchObject({ regime: 'streaming', tokens: [...TEXT].length - 1 });
    expect(read.bitsPerByte).toBeCloseTo(read.loss / Math.LN2, 6);
    expect(read.perplexity).toBeCloseTo(Math.exp(read.loss), 6);
    expect(read.buckets.map(({ from, tokens }: Record<string, number>) => [from, tokens])).toEqual([
      [0, 128],
      [128, [...TEXT].length - 1 - 128],
    ]);
  });

  it('reads a model that decodes in 8 bits with them', async () => {
    const texts = ['--text-path', text, '--characters', '80'];
    const { text: exact } = await scoreOf('om-arc', ...texts);
    const { text: read } = await scoreOf('om-arc', ...texts, '--weights', '8bit');
    expect(read.loss).not.toBe(exact.loss);
    expect(read.loss).toBeCloseTo(exact.loss, 1);
    expect(read).toMatchObject({ tokens: exact.tokens, stateBytes: exact.stateBytes });
  });

  it('prints the same for people', async () => {
    const { code, stdout } = await palimpsest([
      'score',
      run,
      '--text-path',
      text,
      '--regime',
      'windowed',
      '--chunk',
      '32',
    ]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^nats per token +\d\.\d{4}$/m);
    expect(stdout).toMatch(/^bits per byte +\d\.\d{4}$/m);
    expect(stdout).toMatch(/^0 to 127 +323 +\d\.\d{4}$/m);
  });

  it.each([
    ['whole', []],
    ['in 8 bits', ['--weights', '8bit']],
    ['with a cache that forgets', ['--memory', 'sinks', '--budget', '16', '--sinks', '2']],
    ['with a rule that watches', ['--memory', 'h2o', '--budget', '16', '--update-interval', '16']],
  ])('takes models of others, %s', async (_, flags) => {
    const { text: read } = await scoreOf('--model', hugging('tiny-llama3'), '--text-path', text, ...flags);
    expect(read.tokens).toBeGreaterThan(50);
    expect(read.loss).toBeGreaterThan(1);
    expect(read.loss).toBeLessThan(20);
  });

  it('asks tasks in the tokens of the model, over as many ids as it has, and says which it cannot be asked', async () => {
    const { tasks } = await scoreOf(run, '--tasks', 'induction,mqar,passkey', '--examples', '8');
    const [induction, mqar, passkey] = tasks;
    expect(induction).toMatchObject({ task: 'induction', chance: 100 / 15 });
    expect(induction.metrics.map(({ slice }: { slice: object }) => slice)).toEqual([
      {},
      { length: 64 },
      { length: 128 },
      { length: 256 },
      { length: 512 },
    ]);
    expect(mqar.refused).toMatch(/^MQAR with 8 pairs needs a vocabulary above 17/);
    expect(passkey.metrics).toEqual([]);
    expect(passkey.refused).toMatch(/^The task 'passkey' is made of characters, and "\d" is no token/);
  });

  it('asks of fewer ids where the vocabulary has fewer than the task', async () => {
    const stories = await trainedRun('--dataset', 'stories', '--steps', '1');
    const { vocabSize } = (await openCheckpoint(stories)).model;
    const { tasks } = await scoreOf(stories, '--tasks', 'mqar', '--examples', '2');
    expect(vocabSize).toBeLessThan(64);
    expect(tasks[0].chance).toBeCloseTo(100 / Math.floor(vocabSize / 2), 6);
  });

  it.each([
    ['Score by what?', []],
    ["no task 'mqra' (did you mean 'mqar'?)", ['--tasks', 'mqra']],
    ["'language' asks no questions of a trained model", ['--tasks', 'language']],
    ["'passkey' is made of characters", ['--tasks', 'passkey']],
    ['--regime belongs to --text-path', ['--tasks', 'induction', '--regime', 'windowed']],
    ['--examples belongs to --tasks', ['--text-path', 'x.txt', '--examples', '3']],
  ])('refuses in one sentence: %s', async (message, flags) => {
    const { code, stdout, stderr } = await palimpsest(['score', run, ...flags, '--quiet']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^error: [^\n]*\n$/);
    expect(stderr).toContain(message);
  });
});
