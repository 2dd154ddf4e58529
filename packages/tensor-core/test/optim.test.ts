import { afterAll, describe, expect, test } from 'vitest';
import {
  accumulateGradients,
  adamw,
  clipByGlobalNorm,
  constantRate,
  createEngine,
  globalNorm,
  ndarray,
  tf,
  warmupCosine,
} from '../src/index.js';

const engine = await createEngine('cpu');
afterAll(() => engine.dispose());

interface Parameters {
  weight: tf.Tensor;
  gate: tf.Tensor;
  frozen: tf.Tensor;
}

const parameters = () => ({ weight: ndarray([1, -2]), gate: ndarray(0.5), frozen: ndarray([0.1, 0.7]) });

describe('AdamW', () => {
  const optimiser = adamw({
    betas: [0.9, 0.95],
    epsilon: 1e-8,
    weightDecay: 0.1,
    groups: [{ match: (path) => path === 'gate', rateMultiplier: 10, weightDecay: 0 }],
  });
  const step = engine.compile(
    (
      p: Parameters,
      state: { step: tf.Tensor; first: Parameters; second: Parameters },
      gradient: tf.Tensor,
      rate: tf.Tensor,
    ) =>
      optimiser.update(
        p,
        { weight: gradient, gate: tf.reshape(tf.slice(gradient, 0, 1), []), frozen: undefined } as never,
        state,
        { learningRate: rate },
      ),
  );

  test('takes the steps that a calculation by hand gives', async () => {
    // The same formulas in float64: p ← p(1 − lr·decay), moments, then the bias-corrected step.
    const byHand = (start: number, gradients: number[], rate: number, decay: number) => {
      let [p, m, v] = [start, 0, 0];
      gradients.forEach((g, index) => {
        const t = index + 1;
        p *= 1 - rate * decay;
        m = 0.9 * m + 0.1 * g;
        v = 0.95 * v + 0.05 * g * g;
        p -= ((rate / (1 - 0.9 ** t)) * m) / (Math.sqrt(v) / Math.sqrt(1 - 0.95 ** t) + 1e-8);
      });
      return p;
    };
    const gradients = [
      [0.3, -1e-3],
      [-0.2, 2e-3],
      [0.05, 5e-4],
    ];
    let current = { parameters: parameters() as never, state: optimiser.init(parameters()) as never };
    for (const gradient of gradients) {
      current = (await step(current.parameters, current.state, ndarray(gradient), 0.01)) as never;
    }
    const final = current as unknown as {
      parameters: Record<keyof Parameters, { data(): Promise<Float32Array> }>;
    };
    const weight = await final.parameters.weight.data();
    expect(weight[0]).toBeCloseTo(
      byHand(
        1,
        gradients.map(([g]) => g!),
        0.01,
        0.1,
      ),
      6,
    );
    expect(weight[1]).toBeCloseTo(
      byHand(
        -2,
        gradients.map(([, g]) => g!),
        0.01,
        0.1,
      ),
      6,
    );
    expect((await final.parameters.gate.data())[0]).toBeCloseTo(
      byHand(
        0.5,
        gradients.map(([g]) => g!),
        0.1,
        0,
      ),
      6,
    );
    expect(await final.parameters.frozen.data()).toEqual(parameters().frozen.data);
  });
});

describe('clipping', () => {
  const clip = (maxNorm: number) =>
    engine.compile((a: tf.Tensor, b: tf.Tensor) => clipByGlobalNorm({ a, inner: [b] }, maxNorm));

  test('scales all gradients by one factor and reports the norm before', async () => {
    const { gradients, norm } = await clip(1)(ndarray([3, 0]), ndarray([4]));
    expect(await norm.item()).toBe(5);
    expect((await gradients.a.data())[0]).toBeCloseTo(3 / (5 + 1e-6), 7);
    expect((await gradients.inner[0]!.data())[0]).toBeCloseTo(4 / (5 + 1e-6), 7);
  });

  test('leaves small gradients and a limit of 0 alone', async () => {
    for (const limit of [10, 0]) {
      const { gradients } = await clip(limit)(ndarray([3, 0]), ndarray([4]));
      expect(Array.from(await gradients.a.data())).toEqual([3, 0]);
    }
  });

  test('counts missing gradients as zero', async () => {
    const norm = engine.compile((a: tf.Tensor) => globalNorm({ a, b: undefined }));
    expect(await (await norm(ndarray([0, -2]))).item()).toBe(2);
  });
});

test('accumulated parts of a batch give the mean gradient', async () => {
  const sum = engine.compile((a: tf.Tensor, b: tf.Tensor) => {
    const first = accumulateGradients(undefined, { w: a, none: undefined }, 2);
    return { w: accumulateGradients(first, { w: b, none: undefined }, 2).w };
  });
  const { w } = await sum(ndarray([1, 2]), ndarray([3, -4]));
  expect(Array.from(await w.data())).toEqual([2, -1]);
});

describe('schedules', () => {
  test('constant', () => expect([0, 9].map(constantRate(0.1))).toEqual([0.1, 0.1]));

  test('warm-up and cosine', () => {
    const rate = warmupCosine({ peak: 1, warmupSteps: 4, totalSteps: 12, floor: 0.2 });
    expect([0, 1, 3].map(rate)).toEqual([0.25, 0.5, 1]);
    expect(rate(8)).toBeCloseTo(0.6, 12);
    expect([12, 50].map(rate)).toEqual([0.2, 0.2]);
    expect(() => warmupCosine({ peak: 1, warmupSteps: 5, totalSteps: 4 })).toThrow('A warm-up of 5 steps');
  });
});
