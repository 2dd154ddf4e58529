import { ndarray, Rng } from '@palimpsest/tensor-core';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AnswerBatches } from '../src/evaluation/answer-task.js';
import { chainTask } from '../src/evaluation/chain-task.js';
import { gateHistogram } from '../src/evaluation/gate-histogram.js';
import { halfLife, percentile } from '../src/evaluation/half-life.js';
import { interventions } from '../src/evaluation/interventions.js';
import { proportion } from '../src/evaluation/proportion.js';
import { retrievalTask } from '../src/evaluation/retrieval-task.js';
import { participationRatio } from '../src/evaluation/slot-rank.js';

describe('questions', () => {
  it('retrieval: the value stands the asked distance before the query, behind its entity', () => {
    const task = retrievalTask({ entities: 5, values: 7, fillers: 3 });
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer({ min: 5, max: 60 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (seed, length, share) => {
          const difficulty = Math.floor(share * task.hardest(length));
          const { tokens, answer } = task.question(Rng.fromSeed(seed), length, difficulty);
          const queryAt = length - 3;
          expect(tokens.length).toBe(length);
          expect(tokens[queryAt]).toBe(15);
          expect(tokens[queryAt + 2]).toBe(16);
          expect(tokens[queryAt - difficulty - 1]).toBe(answer);
          expect(tokens[queryAt - difficulty - 2]).toBe(tokens[queryAt + 1]);
          expect(task.answers).toContain(answer);
          const others = tokens.filter(
            (_, at) => at < queryAt && (at < queryAt - difficulty - 2 || at >= queryAt - difficulty),
          );
          expect(others.every((id) => id >= 12 && id < 15)).toBe(true);
        },
      ),
    );
  });

  it('chain: recomputing the steps that stand in the text gives the answer', () => {
    const spacing = 4;
    const task = chainTask({ modulus: 10, spacing, fillers: 2 });
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 12 }), (seed, chunks) => {
        const length = chunks * spacing;
        const depth = Rng.fromSeed(seed).int(task.hardest(length) + 1);
        const { tokens, answer } = task.question(Rng.fromSeed(seed), length, depth);
        const start = tokens.indexOf(13);
        let value = tokens[start + 1]!;
        const steps = tokens.filter((id) => id >= 10 && id < 13).length;
        for (let step = 1; step <= depth; step++) {
          const [operation, operand] = tokens.slice(start + step * spacing, start + step * spacing + 2);
          const raw =
            operation === 10 ? value + operand! : operation === 11 ? value - operand! : value * operand!;
          value = ((raw % 10) + 10) % 10;
        }
        expect(steps).toBe(depth);
        expect(value).toBe(answer);
        expect(tokens[length - 1]).toBe(14);
      }),
    );
  });

  it('intermediate results do not stand in the text: a chain of depth 3 holds one number that is no operand', () => {
    const { tokens } = chainTask({ spacing: 3 }).question(Rng.fromSeed(4), 12, 3);
    expect(tokens.filter((id) => id < 10).length).toBe(4);
  });

  it('batches count only the answer, begin afresh, and go on from a cursor', () => {
    const task = retrievalTask();
    const options = { batch: 3, chunk: 8, chunks: [2, 4], seed: 5 };
    const source = new AnswerBatches(task, options);
    source.next();
    const cursor = JSON.parse(JSON.stringify(source.cursor()));
    const batch = source.next();
    expect(batch.inputs.shape).toEqual([3, 32]);
    const counted = [...batch.targets.data].flatMap((target, at) => (target === -1 ? [] : [at % 32]));
    // Texts of two chunks and of four: the answer stands at the end of each.
    expect(counted).toEqual([15, 15, 31]);
    expect([...batch.resets.data]).toEqual([1, 1, 1]);
    const other = new AnswerBatches(task, { ...options, seed: 6 });
    other.seek(cursor);
    expect([...other.next().inputs.data]).toEqual([...batch.inputs.data]);
    expect(() => new AnswerBatches(task, { ...options, chunks: [] })).toThrow(/cannot hold a question/);
    expect(() => other.seek({ kind: 'chain' })).toThrow("A place in 'retrieval' was expected");
  });

  it('refuses sizes that make no task', () => {
    expect(() => retrievalTask({ values: 0 })).toThrow('a positive number of values');
    expect(() => chainTask({ spacing: 1 })).toThrow('2 or more tokens apart');
    expect(() => chainTask({ spacing: 4, modulus: 3, largestOperand: 4 })).toThrow('operands below it');
  });
});

describe('figures', () => {
  it("Wilson's interval: 8 of 10, and the ends", () => {
    const { value, interval } = proportion(8, 10);
    expect(value).toBe(0.8);
    expect(interval[0]).toBeCloseTo(0.4901625, 6);
    expect(interval[1]).toBeCloseTo(0.9433178, 6);
    expect(proportion(0, 20).interval[0]).toBe(0);
    expect(proportion(20, 20).interval[1]).toBe(1);
  });

  it('participation ratio: equal orthogonal rows count fully, copies count once', () => {
    const identity = Float32Array.from({ length: 16 }, (_, i) => (i % 5 === 0 ? 3 : 0));
    expect(participationRatio(identity, 4)).toBeCloseTo(4, 10);
    expect(
      participationRatio(
        Float32Array.from({ length: 12 }, (_, i) => i % 3),
        4,
      ),
    ).toBeCloseTo(1, 10);
    // Singular values 2 and 1: (4 + 1)² / (16 + 1).
    expect(participationRatio([2, 0, 0, 1], 2)).toBeCloseTo(25 / 17, 12);
    expect(participationRatio([0, 0], 2)).toBe(0);
  });

  it('half-life: a geometric fall is found exactly, what outlives the text is infinite', () => {
    const ratios = Array.from({ length: 12 }, (_, k) => 0.9 ** k);
    expect(halfLife(ratios)).toBeCloseTo(Math.log(0.5) / Math.log(0.9), 10);
    expect(halfLife([1, 0.9, 0.8])).toBe(Number.POSITIVE_INFINITY);
    expect(halfLife([1, 0])).toBeCloseTo(0.5, 12);
    expect(percentile([3, 1, 2], 0.5)).toBe(2);
    expect(percentile([0, 10], 0.1)).toBeCloseTo(1, 12);
    expect(percentile([1, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY], 0.9)).toBe(
      Number.POSITIVE_INFINITY,
    );
  });

  it('gates fall into bins whose shares sum to 1', () => {
    const { shares, mean, shut, open } = gateHistogram([0, 0.01, 0.5, 0.99, 1], 4);
    expect(shares).toEqual([0.4, 0, 0.2, 0.4]);
    expect([mean, shut, open]).toEqual([0.5, 0.4, 0.4]);
  });

  it('interventions hold, empty and swap the memory and nothing else', () => {
    const state = { memory: ndarray([1, 2, 3, 4, 5, 6], [3, 1, 2]), position: ndarray([7], [1]) };
    const initial = { memory: ndarray([0, 1, 0, 1, 0, 1], [3, 1, 2]) };
    const after = (name: keyof typeof interventions) => [...interventions[name](state, initial).memory.data];
    expect(after('freezeWrites')).toEqual([0, 1, 0, 1, 0, 1]);
    expect(after('zeroMemory')).toEqual([0, 0, 0, 0, 0, 0]);
    expect(after('shuffleMemory')).toEqual([3, 4, 5, 6, 1, 2]);
    expect(interventions.zeroMemory(state, initial).position).toBe(state.position);
  });
});
