import { afterAll, describe, expect, test } from 'vitest';
import {
  accumulateGradients,
  adamw,
  averaged,
  clipByGlobalNorm,
  constantRate,
  type DeviceArray,
  globalNorm,
  ndarray,
  rectification,
  scheduleFreeAdamW,
  scheduleFreeRAdam,
  sgd,
  tf,
  warmupCosine,
} from '../src/index.js';
import { loadableEngines } from './support/engines.js';

const engines = await loadableEngines();
const engine = engines.find(({ name }) => name === 'cpu')!;
afterAll(async () => {
  for (const each of engines) await each.dispose();
});

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

describe('a long training', () => {
  const optimiser = adamw({ betas: [0.9, 0.999], weightDecay: 0.1 });
  const advance = (p: tf.Tensor, m: tf.Tensor, v: tf.Tensor, step: tf.Tensor) => {
    const state = { step, first: { p: m }, second: { p: v } };
    return optimiser.update({ p }, { p: tf.onesLike(p) }, state as never, { learningRate: tf.scalar(0.01) });
  };

  test.each(engines)('keeps the right size of its steps on $name', async (engine) => {
    const compiled = engine.compile(advance);
    for (const t of [1, 2, 30, 1700, 2000, 90_000, 1e7]) {
      const next = await compiled(ndarray(1), ndarray(0.2), ndarray(0.03), ndarray(t - 1));
      const [m, v] = [0.9 * 0.2 + 0.1, 0.999 * 0.03 + 0.001];
      const shift = ((0.01 / (1 - 0.9 ** t)) * m) / (Math.sqrt(v) / Math.sqrt(1 - 0.999 ** t) + 1e-8);
      expect((await (next.parameters as { p: DeviceArray }).p.data())[0], `step ${t}`).toBeCloseTo(
        0.999 - shift,
        6,
      );
      expect(await next.state.step.item()).toBe(t);
    }
    await compiled.dispose();
  });
});

test('AdamW refuses betas of 1', () => {
  expect(() => adamw({ betas: [0.9, 1] })).toThrow(
    'AdamW needs betas in [0, 1) and an epsilon of 0 or more, but got 0.9 and 1, and 1e-8.',
  );
});

test('betas of 0 follow the sign of each gradient', async () => {
  const optimiser = adamw({ betas: [0, 0], weightDecay: 0 });
  const step = engine.compile((p: tf.Tensor, g: tf.Tensor, zero: tf.Tensor) =>
    optimiser.update(
      { p },
      { p: g },
      { step: zero, first: { p: tf.zerosLike(p) }, second: { p: tf.zerosLike(p) } } as never,
      {
        learningRate: tf.scalar(0.25),
      },
    ),
  );
  const { parameters: next } = await step(ndarray([1, 1]), ndarray([3, -0.01]), ndarray(0));
  const moved = await (next as { p: DeviceArray }).p.data();
  expect(moved[0]).toBeCloseTo(0.75, 6);
  expect(moved[1]).toBeCloseTo(1.25, 6);
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

test('a gradient that only some parts have is kept, whichever part comes first', async () => {
  const sum = engine.compile((a: tf.Tensor) => {
    const parts: { list: (tf.Tensor | undefined)[]; w?: tf.Tensor | undefined }[] = [
      { list: [a, undefined], w: undefined },
      { list: [undefined, undefined], w: a },
      { list: [a, undefined], w: undefined },
    ];
    return parts.reduce<(typeof parts)[0] | undefined>(
      (total, part) => accumulateGradients(total, part, 4),
      undefined,
    )!;
  });
  const { list, w } = await sum(ndarray([8, 4]));
  expect(list).toHaveLength(2);
  expect(list[1]).toBeUndefined();
  expect(Array.from(await list[0]!.data())).toEqual([4, 2]);
  expect(Array.from(await (w as DeviceArray).data())).toEqual([2, 1]);
});

test.each(engines)(
  'the norm of gradients is the same on $name, and can be differentiated',
  async (engine) => {
    const norm = engine.compile((a: tf.Tensor, b: tf.Tensor) => {
      const slope = tf.grad((x) => globalNorm({ a: x, b }))(a);
      return { norm: globalNorm({ a, b }), slope };
    });
    const result = await norm(ndarray([2, -4, 0, 3, 1, 5], [2, 3]), ndarray(3));
    expect(await result.norm.item()).toBe(8);
    expect(Array.from(await result.slope.data())).toEqual([0.25, -0.5, 0, 0.375, 0.125, 0.625]);
  },
);

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

describe('schedule-free optimisers', () => {
  const settings = { betas: [0.9, 0.95], weightDecay: 0.1 } as const;

  /** The published loop in float64, on the slope of ½ (y − 3)². */
  function written(isRAdam: boolean, steps: number) {
    let [y, z, v, highest, sum] = [1, 1, 0, 0, 0];
    for (let k = 1; k <= steps; k++) {
      const g = y - 3;
      v = 0.95 * v + 0.05 * g * g;
      const r = isRAdam ? rectification(k, 0.95) : 1;
      const direction = (r > 0 ? g / (Math.sqrt(v / (1 - 0.95 ** k)) + 1e-8) : g) + 0.1 * y;
      const rate = 0.05 * r;
      highest = Math.max(highest, rate);
      sum += highest ** 2;
      const share = sum > 0 ? highest ** 2 / sum : 0;
      y += share * (z - y) + rate * (0.9 * (1 - share) - 1) * direction;
      z -= rate * direction;
    }
    return { y, x: y + (1 - 1 / 0.9) * (z - y) };
  }

  test.each([true, false])('follow the published loop (RAdam: %s)', async (isRAdam) => {
    const optimizer = (isRAdam ? scheduleFreeRAdam : scheduleFreeAdamW)(settings);
    const step = engine.compile((p: { w: tf.Tensor }, state: unknown) => {
      const gradients = { w: tf.sub(p.w, 3) };
      const next = optimizer.update(p, gradients, state, { learningRate: tf.scalar(0.05) });
      return { ...next, average: optimizer.evaluationParameters!(next.parameters, next.state) };
    });
    let held: { p: unknown; state: unknown } = {
      p: { w: ndarray([1]) },
      state: optimizer.init({ w: ndarray([1]) }),
    };
    for (let k = 1; k <= 12; k++) {
      const result = await step(held.p as never, held.state);
      held = { p: result.parameters, state: result.state };
      const { y, x } = written(isRAdam, k);
      expect(await (result.parameters as { w: DeviceArray }).w.item()).toBeCloseTo(y, 5);
      expect(await (result.average as { w: DeviceArray }).w.item()).toBeCloseTo(x, 5);
    }
  });

  test('a rectification is undefined at first and then grows towards 1', () => {
    expect([1, 2, 3, 4].map((k) => rectification(k, 0.95))).toEqual([0, 0, 0, 0]);
    expect(rectification(5, 0.95)).toBeCloseTo(0.118, 3);
    expect(rectification(2000, 0.95)).toBeCloseTo(1, 6);
    expect(() => scheduleFreeAdamW({ betas: [0, 0.9] })).toThrow('a first beta in (0, 1)');
  });
});

describe('a running mean of the weights', () => {
  test.each(engines)('follows the weights that go where they would without it ($name)', async (each) => {
    const plain = sgd({});
    const optimizer = averaged(plain, 0.5);
    const slope = (p: { w: tf.Tensor; still: tf.Tensor }) => ({ w: tf.sub(p.w, 3), still: undefined });
    const step = each.compile((p: { w: tf.Tensor; still: tf.Tensor }, state: unknown) =>
      optimizer.update(p, slope(p), state, { learningRate: tf.scalar(0.25) }),
    );
    const evaluated = each.compile((p: unknown, state: unknown) => optimizer.evaluationParameters!(p, state));
    const start = { w: ndarray([1, -2]), still: ndarray(0.1) };
    let held: { parameters: unknown; state: unknown } = { parameters: start, state: optimizer.init(start) };
    let [w, mean] = [1, 1];
    for (let t = 1; t <= 12; t++) {
      held = await step(held.parameters as never, held.state);
      w -= 0.25 * (w - 3);
      mean += (1 - Math.min(0.5, (1 + t) / (10 + t))) * (w - mean);
      const average = (await evaluated(held.parameters as never, held.state)) as Record<string, DeviceArray>;
      expect((await (held.parameters as { w: DeviceArray }).w.data())[0]).toBeCloseTo(w, 5);
      expect((await average.w!.data())[0]).toBeCloseTo(mean, 5);
      expect(await average.still!.item()).toBe(Math.fround(0.1));
    }
    await step.dispose();
    await evaluated.dispose();
  });

  test('refuses decays that are none, and a second average', () => {
    expect(() => averaged(sgd(), 1)).toThrow('a decay between 0 and 1, but got 1');
    expect(() => averaged(scheduleFreeAdamW(), 0.9)).toThrow('average of its weights already');
  });
});
