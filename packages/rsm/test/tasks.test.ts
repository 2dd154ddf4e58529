import { contestantOf, type Task, type TaskContext, type TaskOutcomeInput } from '@palimpsest/lm';
import { createEngine, Rng } from '@palimpsest/tensor-core';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { mechanism } from '../src/mechanism.js';
import { drawChain } from '../src/tasks/chain.js';
import { chunkStarts, documentChunks, strideOf } from '../src/tasks/chunked-text.js';
import { leak } from '../src/tasks/leak.js';
import { drawFact, memory } from '../src/tasks/memory.js';
import { drawNeedle } from '../src/tasks/needle.js';
import { fillerRuns, needleVocabulary, parseNeedles } from '../src/tasks/needle-layout.js';

const engine = await createEngine('onnx');
afterAll(() => engine.dispose());

describe('overlapping chunks', () => {
  it('have the published numbers of examples, and move on or are refused', () => {
    expect(chunkStarts(1_115_394, 256, strideOf(256, 0.5))).toHaveLength(8_713);
    expect(chunkStarts(338_025, 128, strideOf(128, 0.5))).toHaveLength(5_280);
    expect(strideOf(10, 0.9)).toBe(1);
    expect(() => strideOf(10, 0.9, 'truncate')).toThrow('do not move on');
    expect(() => strideOf(10, 1)).toThrow('overlap of 1');
  });

  it('start wherever every token has a next one', () => {
    const size = fc.integer({ min: 0, max: 200 });
    fc.assert(
      fc.property(
        size,
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 40 }),
        (n, chunk, stride) => {
          const starts = chunkStarts(n, chunk, stride);
          expect(starts).toEqual(starts.map((_, index) => index * stride));
          expect(starts.every((start) => start + chunk < n)).toBe(true);
          expect(starts.length * stride + chunk).toBeGreaterThanOrEqual(n);
        },
      ),
    );
  });

  it('of a document lose the first token of each as a target', () => {
    const examples = documentChunks(
      Int32Array.from({ length: 11 }, (_, index) => index),
      4,
    );
    expect(examples).toHaveLength(2);
    expect(examples[1]).toEqual({ x: Int32Array.of(4, 5, 6), y: Int32Array.of(5, 6, 7) });
  });
});

describe('generated texts', () => {
  const rng = Rng.fromSeed(3);

  it('tell one fact in the first tokens and ask for it at the end', () => {
    const draw = drawFact({ entities: 2, values: 4, fillers: 3 }, 20, 8);
    for (let count = 0; count < 50; count++) {
      const { inputs, targets } = draw(rng);
      const at = inputs.findIndex((id) => id < 2);
      expect(at).toBeLessThanOrEqual(6);
      expect([...inputs.slice(-3)]).toEqual([9, inputs[at], 10]);
      expect(targets.filter((target) => target >= 0)).toEqual(Int32Array.of(inputs[at + 1]!));
      expect(targets[19]).toBe(inputs[at + 1]);
    }
  });

  it('chain hidden results, of every depth up to the deepest', () => {
    const shape = { modulus: 10, largestOperand: 4, spacing: 5, fillers: 2 };
    const draw = drawChain(shape, 20, [0, 3]);
    const depths = new Set<number>();
    for (let count = 0; count < 60; count++) {
      const { inputs, targets } = draw(rng);
      const start = inputs.indexOf(13);
      let value = inputs[start + 1]!;
      const steps = [...inputs.keys()].filter((at) => inputs[at]! >= 10 && inputs[at]! <= 12);
      for (const at of steps) {
        const [operation, operand] = [inputs[at]! - 10, inputs[at + 1]!];
        value = [value + operand, value - operand, value * operand][operation]!;
        value = ((value % 10) + 10) % 10;
      }
      depths.add(steps.length);
      expect(targets[19]).toBe(value);
    }
    expect([...depths].sort()).toEqual([0, 1, 2, 3]);
    expect(() => drawChain({ ...shape, largestOperand: 10 }, 20, [0, 3])).toThrow(
      'operands below its modulus',
    );
  });

  it('hide needles in runs of nearly equal length, paired anew in every text', () => {
    expect(fillerRuns(60, 3)).toEqual([11, 11, 12, 12]);
    expect(() => fillerRuns(13, 3)).toThrow('at least 14 tokens');
    expect(() => needleVocabulary(14, 5)).toThrow('15 ids or more');
    const vocabulary = needleVocabulary(16 + 6 + 4, 3);
    const pairings = new Set<string>();
    for (let count = 0; count < 40; count++) {
      const { inputs, targets } = drawNeedle(60, 3, 16)(rng);
      const { pairs, target } = parseNeedles(vocabulary, inputs);
      expect(targets[59]).toBe(target);
      pairings.add([...pairs].sort((a, b) => a[0] - b[0]).join(' '));
    }
    expect(pairings.size).toBe(6);
  });
});

/** Runs a task of the card on one of its contenders at the size of the recall probe. */
async function run(
  task: Task,
  contender: string,
  options: object,
  learningRate = 2e-3,
): Promise<TaskOutcomeInput> {
  const found = mechanism.contenders!.find(({ name }) => name === contender)!;
  const sizes = found.options.parse({ width: 32, heads: 2, slots: 4, chunk: 8 });
  const context: TaskContext = {
    engine,
    contestant: contestantOf(found, sizes),
    learningRate,
    seed: 0,
    progress: () => {},
  };
  return task.run(context, task.options.parse(options));
}

describe('the card', () => {
  it('shows the leak of the published wiring, and that ours sees nothing', async () => {
    const options = { steps: 600, texts: 512 };
    const of = async (contender: string) => {
      const { metrics } = await run(leak, contender, options, 3e-3);
      const [headline, whole, prefix] = metrics.map(({ value }) => value);
      return { leak: headline!, whole: whole!, prefix: prefix! };
    };
    const published = await of('rsm-parity');
    expect(published.whole).toBeLessThan(0.1);
    expect(published.prefix).toBeGreaterThan(Math.log(8));
    for (const contender of ['rsm', 'rsm-causal']) {
      const ours = await of(contender);
      expect(ours.whole).toBeGreaterThan(Math.log(8) - 0.05);
      expect(Math.abs(ours.leak)).toBeLessThan(1e-5);
    }
  });

  it('keeps a fact over 16 chunks by its memory, not without it', async () => {
    const { metrics, curves } = await run(memory, 'rsm', {
      steps: 1000,
      testChunks: [6, 16],
      probeTexts: 512,
      retentionTexts: 4,
      retentionChunks: 8,
    });
    const at = (name: string, slice: object) =>
      metrics.find((metric) => metric.name === name && isPart(slice, metric.slice ?? {}))!.value;
    expect(at('accuracy by slice', { chunks: 6 })).toBeGreaterThan(90);
    expect(at('accuracy by slice', { chunks: 16 })).toBeGreaterThan(80);
    expect(at('accuracy with the memory', { memory: 'intact' })).toBeGreaterThan(90);
    for (const changed of ['frozen', 'emptied', 'swapped']) {
      expect(at('accuracy with the memory', { memory: changed })).toBeLessThan(40);
    }
    expect(at('read by a linear map', { age: 0, slots: 'all' })).toBeGreaterThan(50);
    expect(at('half-life', { part: 'whole' })).toBeGreaterThan(2);
    expect(at('effective rank', {})).toBeGreaterThan(1.2);
    expect(curves!.map(({ name }) => name)).toEqual([
      'training loss',
      'rest of a disturbance',
      'cosine to the chunk before',
      'effective rank',
    ]);
    expect(curves![1]!.points[0]).toEqual([0, 1]);
  });
});

const isPart = (part: object, whole: Readonly<Record<string, unknown>>) =>
  Object.entries(part).every(([key, value]) => whole[key] === value);
