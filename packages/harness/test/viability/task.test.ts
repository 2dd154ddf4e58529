import { createEngine, type Engine } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { sessionViabilityTask } from '../../src/tasks/session-viability.js';
import { standardErrorOf, wilsonInterval } from '../../src/viability/wilson.js';

// Beside the sources the model that ships stands in another folder than in the package.
vi.mock('../../src/viability/quick-viability.js', async (original) => {
  const own = await original<typeof import('../../src/viability/quick-viability.js')>();
  const quickViability: typeof own.quickViability = (engine, options) =>
    own.quickViability(engine, options, 'assets/pocket');
  return { ...own, quickViability };
});

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('onnx', { threads: 1 });
});
afterAll(() => engine.dispose());

describe('the cell of session viability', () => {
  it('goes forward, and is certain of nothing', async () => {
    const fractions: number[] = [];
    const { metrics } = await sessionViabilityTask.run(
      { engine, learningRate: 0, seed: 1, progress: (fraction) => fractions.push(fraction) },
      { sessions: 1 },
    );
    expect(fractions).toEqual([1 / 3, 2 / 3]);
    const hits = metrics.filter(({ name }) => name === 'first hits');
    expect(hits).toHaveLength(10);
    for (const { standardError, samples, value } of hits) {
      expect(samples).toBe(10);
      expect(standardError, `${value} %`).toBeGreaterThan(5);
    }
    // No hit in ten: Wilson's interval is [0, z²/(10 + z²)].
    const none = hits.find(({ slice }) => slice?.facts === 20 && String(slice.mode).startsWith('Z'));
    expect([none!.value, none!.standardError!.toFixed(4)]).toEqual([0, '7.0800']);
  }, 120_000);
});

describe('the standard error of an interval', () => {
  it('is that of a plain share where there are many, and is not zero where all are hits', () => {
    expect(standardErrorOf(wilsonInterval(5_000, 20_000))).toBeCloseTo(Math.sqrt((0.25 * 0.75) / 20_000), 6);
    expect(standardErrorOf(wilsonInterval(50, 50))).toBeCloseTo(1.959963984540054 / 2 / 53.84145882, 8);
  });
});
