import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TrainingEvent, trainingSchema } from '@palimpsest/lm';
import { afterAll, describe, expect, it } from 'vitest';
import { formatNumber, TrainingWatch } from '../src/index.js';

const scratch = mkdtempSync(join(tmpdir(), 'palimpsest-watch-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const start = (step = 0, steps = 200): TrainingEvent => ({
  ...{ type: 'start', model: 'osam', parameters: 12_345, stateBytes: 2220, step, engine: 'onnx' },
  settings: trainingSchema.parse({ steps, sampleEvery: 25 }),
});
const step = (number: number, loss: number): TrainingEvent => ({
  ...{ type: 'step', step: number, steps: 200, loss, gradientNorm: 1, clippedNorm: 1 },
  ...{ rates: { default: 0.001 }, tokens: number * 64, tokensPerSecond: 4000, telemetry: {} },
});
const validation = (number: number, loss: number): TrainingEvent => ({
  ...{ type: 'validation', step: number, isBest: true },
  result: {
    regime: 'streaming',
    tokens: 100,
    loss,
    perplexity: Math.exp(loss),
    accuracy: 0.5,
    loops: [],
  } as never,
});

describe('the page of a run', () => {
  it('says what it waits for before there are numbers', async () => {
    const watch = new TrainingWatch(join(scratch, 'none'));
    expect(await watch.page()).toContain('The text is read and the model is built');
    watch.add(start());
    const page = await watch.page();
    expect(page).toContain('The first step is compiled');
    expect(page).toContain('None yet: one comes every 25 steps.');
    expect(page).not.toContain('<svg');
  });

  it('shows both losses, speed, memory, time left and the newest samples first', async () => {
    const watch = new TrainingWatch(join(scratch, 'none'));
    watch.add(start());
    for (let number = 1; number <= 50; number++) watch.add(step(number, 4 - number / 50));
    watch.add(validation(50, 3.25));
    for (let number = 1; number <= 10; number++) {
      watch.add({ type: 'sample', step: number, prompt: 'Once', text: ` <b>upon ${number}</b>` });
    }
    const page = await watch.page();
    for (const text of [
      '50 of 200',
      '3.000 nats per token',
      '3.250 nats per token',
      `${formatNumber(4000)} tokens/s`,
      `${formatNumber(2220)} bytes`,
      'Training osam: 25 %',
      'time left',
      'held-out',
    ])
      expect(page.includes(text), text).toBe(true);
    expect(page.match(/<svg role="img"/g)).toHaveLength(4);
    expect(page.includes('<b>')).toBe(false);
    const samples = [...page.matchAll(/upon (\d+)/g)].map(([, number]) => Number(number));
    expect(samples).toEqual([10, 9, 8, 7, 6, 5, 4, 3]);
  });

  it('begins with the past of a run that goes on', async () => {
    const folder = mkdtempSync(join(scratch, 'run-'));
    const past = [start(), step(1, 5), step(2, 4.5), validation(2, 4.75)];
    writeFileSync(join(folder, 'metrics.jsonl'), past.map((event) => `${JSON.stringify(event)}\n`).join(''));
    const watch = new TrainingWatch(folder);
    watch.add(start(2));
    const page = await watch.page();
    expect(page).toContain('4.750 nats per token');
    expect(page.match(/<svg role="img"/g)).toHaveLength(4);
  });

  it.each([
    ['end', 'The run is done'],
    ['interrupted', 'The run was interrupted, and everything is saved'],
  ] as const)('says how it came to its %s, and follows nothing any more', async (type, sentence) => {
    const watch = new TrainingWatch(join(scratch, 'none'));
    watch.add(start());
    watch.add(step(1, 4));
    watch.add({ type, step: 1, tokens: 64, params: {} });
    const page = await watch.page();
    expect(page).toContain(sentence);
    expect(page).toContain('data-ended="true"');
    expect(page).not.toMatch(/<script/);
  });

  it('says which error ended it', async () => {
    const watch = new TrainingWatch(join(scratch, 'none'));
    watch.fail(new Error('the loss is NaN'));
    expect(await watch.page()).toContain('The run ended by an error: the loss is NaN');
  });

  it('runs one script, which its policy knows, and asks nobody but its own server', async () => {
    const page = await new TrainingWatch(join(scratch, 'none')).page();
    const [, policy] = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page)!;
    const scripts = [...page.matchAll(/<script>([\s\S]*?)<\/script>/g)];
    expect(scripts).toHaveLength(1);
    const checksum = createHash('sha256').update(scripts[0]![1]!).digest('base64');
    const rules = policy!.replaceAll('&#39;', "'").replaceAll('&#61;', '=').split('; ');
    expect(rules).toContain(`script-src 'sha256-${checksum}'`);
    expect(rules).toContain("connect-src 'self'");
    expect(rules).toContain("default-src 'none'");
  });
});
