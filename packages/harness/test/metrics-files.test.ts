import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseTraining, type TrainingEvent } from '@palimpsest/lm';
import { afterAll, describe, expect, it } from 'vitest';
import { RunFolder } from '../src/index.js';
import { scalarRecord, versionRecord } from '../src/runs/event-records.js';

const scratch = mkdtempSync(join(tmpdir(), 'palimpsest-metrics-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Written by `RecordWriter` of the Python package tensorboard 2.21. */
const VERSION = '1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c';
const SCALAR = '1b000000000000001a0d9e1309000000000000044010ac022a0d0a0b0a046c6f7373150000003ff04bc4a2';

const step = (number: number): TrainingEvent => ({
  type: 'step',
  step: number,
  steps: 9,
  loss: 1 / number,
  rates: { default: 0.01 },
  gradientNorm: 2,
  clippedNorm: 1,
  tokens: 64 * number,
  tokensPerSecond: 1000,
  telemetry: {},
});

/** Data of the records of a file, by the lengths that stand before them. */
function recordsOf(bytes: Buffer): Buffer[] {
  const records: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at));
    records.push(bytes.subarray(at + 12, at + 12 + length));
    at += length + 16;
  }
  return records;
}

describe('records of TensorBoard', () => {
  it('are those that its own writer makes of the same events', () => {
    expect(versionRecord(1.5).toString('hex')).toBe(VERSION);
    expect(scalarRecord({ wallTime: 2.5, step: 300, scalars: { loss: 0.5 } }).toString('hex')).toBe(SCALAR);
  });
});

describe('metrics in other forms', () => {
  it('begin with the past of the run, and go on with it unasked', () => {
    const path = join(scratch, 'run');
    const first = new RunFolder(path, { metrics: ['csv', 'tensorboard'] });
    const facts = { model: 'toy', parameters: 1, stateBytes: 1, step: 0, engine: 'cpu' };
    first.record({ type: 'start', ...facts, settings: parseTraining() });
    for (const number of [1, 2]) first.record(step(number));
    first.close();
    const second = new RunFolder(path, { from: join(path, 'latest') });
    second.record(step(3));
    second.close();
    expect(readFileSync(join(path, 'metrics.csv'), 'utf8').split('\n')).toEqual([
      'step,loss,gradient_norm,learning_rate,tokens,tokens_per_second,held_out_loss,held_out_bits_per_character,held_out_accuracy',
      '1,1,2,0.01,64,1000,,,',
      '2,0.5,2,0.01,128,1000,,,',
      `3,${1 / 3},2,0.01,192,1000,,,`,
      '',
    ]);
    const records = recordsOf(readFileSync(join(path, 'events.out.tfevents.0.palimpsest')));
    expect(records).toHaveLength(4);
    expect(records[0]!.toString('latin1')).toContain('brain.Event:2');
    expect(records[3]!.toString('latin1')).toContain('gradient_norm');
  });
});
