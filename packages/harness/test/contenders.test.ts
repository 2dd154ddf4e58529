import {
  type AnySequenceModel,
  contestantOf,
  countParameters,
  stateBytes,
  type TaskContext,
} from '@palimpsest/lm';
import {
  createEngine,
  type DeviceArray,
  type Engine,
  type NDArray,
  ndarray,
  Rng,
  tf,
  treeLeaves,
  valueAndGradient,
} from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { standardRegistry } from '../src/index.js';
import { fieldOf } from '../src/profiles/grid.js';

let cpu: Engine;
let onnx: Engine;
beforeAll(async () => {
  cpu = await createEngine('cpu');
  onnx = await createEngine('onnx');
});
afterAll(async () => {
  await cpu.dispose();
  await onnx.dispose();
});

const { contenders, tasks } = standardRegistry;
const trained = contenders.filter((contender) => contender.kind === 'trained');
/** Those that are asked as they learn. */
const made = trained.filter(({ learner }) => learner === undefined);
const need = { vocabSize: 7, trainLength: 12, longestLength: 24 };

function make(name: string): AnySequenceModel {
  const contender = trained.find((candidate) => candidate.name === name)!;
  return contender.create(need, contender.options.parse({ width: 16, layers: 2 }));
}

async function logitsOf(engine: Engine, model: AnySequenceModel, params: unknown, pieces: readonly number[]) {
  const rng = Rng.fromSeed(3);
  const ids = Int32Array.from({ length: 11 }, () => rng.int(7));
  const init = engine.compile((tree: unknown) => model.initState(tree, 1));
  const read = engine.compile((tree: unknown, tokens: tf.Tensor2D, state: unknown) => {
    const result = model.forward(tree, tokens, state, { training: false });
    return { logits: result.logits, state: result.state };
  });
  const step = engine.compile((tree: unknown, token: tf.Tensor1D, state: unknown) =>
    model.step(tree, token, state),
  );
  let state: unknown = await init(params as never);
  const rows: number[] = [];
  let at = 0;
  for (const count of pieces) {
    const part = ids.slice(at, at + count);
    const result = (await (count === 1
      ? step(params as never, ndarray(part, [1], 'int32'), state as never)
      : read(params as never, ndarray(part, [1, count], 'int32'), state as never))) as unknown as {
      logits: DeviceArray;
      state: unknown;
    };
    rows.push(...((await result.logits.data()) as Float32Array));
    ({ state } = result);
    at += count;
  }
  return rows;
}

describe('contenders', () => {
  it.each(made.map(({ name }) => name))(
    '%s: one call, pieces and single steps agree, on cpu and onnx',
    async (name) => {
      const model = make(name);
      const params = model.init(Rng.fromSeed(1));
      const whole = await logitsOf(cpu, model, params, [11]);
      for (const engine of [cpu, onnx]) {
        for (const pieces of [[4, 1, 6], new Array<number>(11).fill(1)]) {
          const cut = await logitsOf(engine, model, params, pieces);
          const worst = Math.max(...cut.map((value, index) => Math.abs(value - whole[index]!)));
          expect(worst).toBeLessThan(1e-4);
        }
      }
      expect(await stateBytes(model, 1, params)).toBeGreaterThan(0);
    },
  );

  it('only full attention has a memory that depends on the length of the text', async () => {
    for (const { name, create, options } of made) {
      const sizes = [24, 48].map((longestLength) =>
        stateBytes(create({ ...need, longestLength }, options.parse({ width: 16 }))),
      );
      const [short, long] = await Promise.all(sizes);
      expect([name, long! > short!]).toEqual([name, name === 'transformer']);
    }
  });

  it.each([
    'linear-attention',
    'gru',
    'lstm',
    'gated-linear-attention',
    'gated-delta-net',
    'mamba-2',
    'rwkv-7',
    'no-memory',
  ])('%s: gradients are those of finite differences', async (name) => {
    const model = make(name);
    const params = model.init(Rng.fromSeed(2));
    const tokens = ndarray(Int32Array.of(1, 4, 2, 6, 0, 3), [1, 6], 'int32');
    const loss = (tree: unknown, ids: tf.Tensor) => {
      const { logits } = model.forward(tree, ids as tf.Tensor2D, model.initState(tree, 1), {
        training: true,
      });
      return tf.mean(tf.square(tf.tanh(logits))) as tf.Scalar;
    };
    const both = cpu.compile((tree: unknown, ids: tf.Tensor) => valueAndGradient((p) => loss(p, ids), tree));
    const value = cpu.compile((tree: unknown, ids: tf.Tensor) => loss(tree, ids));
    const { gradients } = (await both(params as never, tokens)) as unknown as { gradients: unknown };
    const leaves = treeLeaves<NDArray>(params);
    for (const { path, leaf: gradient } of treeLeaves<DeviceArray>(gradients)) {
      const { leaf } = leaves.find((entry) => entry.path === path)!;
      const index = leaf.data.length >> 1;
      const original = leaf.data[index]!;
      const at = async (shift: number) => {
        leaf.data[index] = original + shift;
        return (await value(params as never, tokens)).item();
      };
      const difference = ((await at(3e-3)) - (await at(-3e-3))) / 6e-3;
      leaf.data[index] = original;
      const exact = ((await gradient.data()) as Float32Array)[index]!;
      expect(Math.abs(exact - difference), path).toBeLessThan(2e-4 + 0.02 * Math.abs(difference));
    }
  });
});

describe('asking', () => {
  const outcomeOf = async (
    model: string,
    options: Record<string, unknown>,
    modelOptions: Record<string, unknown> = {},
  ) => {
    const task = tasks.find(({ name }) => name === 'mqar')!;
    const contender = trained.find(({ name }) => name === model)!;
    const context: TaskContext = {
      engine: onnx,
      contestant: contestantOf(contender, contender.options.parse(modelOptions)),
      learningRate: contender.learningRate,
      seed: 1,
      progress: () => {},
    };
    return task.run(context, task.options.parse(options));
  };
  const ask = async (model: string, options: Record<string, unknown>) =>
    (await outcomeOf(model, options)).metrics[0]!.value;

  it('attention learns associative recall, a model without memory stays at chance', async () => {
    const options = {
      vocabSize: 16,
      train: [[12, 2]],
      test: [[12, 2]],
      steps: 400,
      stopAt: 0.05,
      examples: 128,
    };
    expect(await ask('transformer', options)).toBeGreaterThan(95);
    // Most of the 32 tokens lie outside of what its convolutions see.
    expect(await ask('no-memory', { vocabSize: 24, steps: 100, examples: 128 })).toBeLessThan(20);
  });

  it('a policy is asked with the weights that full attention learned, in the bytes that its cache holds', async () => {
    const small = { width: 16, layers: 1, heads: 1 };
    const options = { vocabSize: 16, train: [[32, 4]], test: [[32, 4]], steps: 40, examples: 64 };
    const whole = await outcomeOf('transformer', options, small);
    const kept = await outcomeOf('cache-recency', options, { ...small, budget: 32 });
    const evicted = await outcomeOf('cache-recency', options, { ...small, budget: 4 });
    expect(kept.metrics[0]!.value).toBe(whole.metrics[0]!.value);
    expect(evicted.curves).toEqual(whole.curves);
    expect(evicted.metrics[0]!.value).not.toBe(whole.metrics[0]!.value);
    // Keys and values of 16 numbers and a position for each slot, and two counters. Before the last update there are 32 slots
    // for the 24 tokens of the one before, or 8 for 4, and 8 new tokens.
    const bytes = (slots: number) => slots * (2 * 16 + 1) * 4 + 2 * 4;
    expect([kept.stateBytes, evicted.stateBytes]).toEqual([bytes(40), bytes(16)]);
  });

  it('every task that counts right answers says what a blind guess reaches, and names are unique', () => {
    for (const { name, family, headline, chance, options } of tasks) {
      if (family !== 'recall' || headline.unit !== '%') continue;
      const value = chance!(options.parse({}));
      expect([name, value > 0 && value <= 20]).toEqual([name, true]);
    }
    const names = [...standardRegistry.tasks, ...standardRegistry.contenders].map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('contenders of equal size', () => {
  const matched = fieldOf(standardRegistry.mechanisms, []).everyone.map((name) => ({
    name,
    contender: trained.find((one) => one.name === name)!,
  }));

  it.each([25, 49, 80])('have as many parameters within a twentieth, with %i ids', (vocabSize) => {
    const sizes = matched.map(({ name, contender }) => {
      const options = contender.options.parse(contender.parameterMatched ?? {});
      const model = contender.create({ ...need, vocabSize }, options);
      return { name, parameters: countParameters(model.init(Rng.fromSeed(1))) };
    });
    const median = sizes.map(({ parameters }) => parameters).sort((a, b) => a - b)[sizes.length >> 1]!;
    const unequal = sizes.filter(({ parameters }) => Math.abs(parameters / median - 1) > 0.05);
    expect(unequal).toEqual([]);
  });
});
