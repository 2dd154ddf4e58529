import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import {
  type DeviceArray,
  type Engine,
  gru,
  lstm,
  ndarray,
  Rng,
  tf,
  valueAndGradient,
} from '../../src/index.js';
import { loadableEngines } from '../support/engines.js';
import { relativeDifference } from '../support/numbers.js';
import { gru64, lstm64, type Matrix, type Named } from './float64.js';

interface Case {
  readonly inputs: Named;
  readonly lossWeights: readonly Matrix[];
  readonly outputs: readonly Matrix[];
  readonly gradients: Named;
}
type Layer = (inputs: Readonly<Record<string, tf.Tensor>>) => tf.Tensor[];

const golden: { gru: Case; lstm: Case } = JSON.parse(
  readFileSync(new URL('pytorch.json', import.meta.url), 'utf8'),
);
const engines = await loadableEngines();
const named = engines.map((engine) => [engine.name, engine] as const);

afterAll(async () => {
  for (const engine of engines) await engine.dispose();
});

const layers: Record<'gru' | 'lstm', Layer> = {
  gru: ({ x, hidden, inputWeight, stateWeight, inputBias, stateBias }) =>
    gru(x!, hidden!, {
      inputWeight: inputWeight!,
      stateWeight: stateWeight!,
      inputBias: inputBias!,
      stateBias: stateBias!,
    }),
  lstm: ({ x, hidden, cell, inputWeight, stateWeight, bias }) => {
    const weights = { inputWeight: inputWeight!, stateWeight: stateWeight!, bias: bias! };
    const [states, after] = lstm(x!, { hidden: hidden!, cell: cell! }, weights);
    return [states, after.hidden, after.cell];
  },
};

const arrays = (named: Named) =>
  Object.fromEntries(
    Object.entries(named).map(([name, { data, shape }]) => [name, ndarray(Array.from(data), shape)]),
  );

/** Outputs and gradients of the weighted sum of the outputs. */
async function compute(engine: Engine, layer: Layer, inputs: Named, lossWeights: readonly Matrix[]) {
  const compiled = engine.compile((given: Readonly<Record<string, tf.Tensor>>) => {
    const { aux, gradients } = valueAndGradient((leaves: Readonly<Record<string, tf.Tensor>>) => {
      const outputs = layer(leaves);
      const parts = outputs.map((output, place) =>
        tf.sum(tf.mul(output, tf.tensor(Array.from(lossWeights[place]!.data), output.shape))),
      );
      return [parts.reduce((sum, part) => tf.add(sum, part)), outputs] as const;
    }, given);
    return { outputs: aux, gradients };
  });
  const result = await compiled(arrays(inputs) as never);
  const values = async (array: DeviceArray | undefined) => Array.from(await array!.data());
  const outputs = await Promise.all(result.outputs.map((array) => values(array)));
  const gradients: Record<string, number[]> = {};
  for (const [name, array] of Object.entries(result.gradients)) gradients[name] = await values(array);
  await compiled.dispose();
  return { outputs, gradients };
}

describe.each(named)('on %s', (_name, engine) => {
  test.each(['gru', 'lstm'] as const)("%s: PyTorch's numbers, gradients included", async (kind) => {
    const { inputs, lossWeights, outputs, gradients } = golden[kind];
    const actual = await compute(engine, layers[kind], inputs, lossWeights);
    expect(actual.outputs.length).toBe(outputs.length);
    outputs.forEach(({ data }, place) => {
      expect(relativeDifference(actual.outputs[place]!, Array.from(data))).toBeLessThan(2e-6);
    });
    expect(Object.keys(actual.gradients).sort()).toEqual(Object.keys(gradients).sort());
    for (const [name, { data }] of Object.entries(gradients)) {
      expect(relativeDifference(actual.gradients[name]!, Array.from(data)), name).toBeLessThan(1e-5);
    }
  });
});

/** Inputs of a layer over `time` tokens, wide enough that no extent is like another. */
function drawn(kind: 'gru' | 'lstm', time: number): { inputs: Named; lossWeights: Matrix[] } {
  const rng = Rng.fromSeed(11);
  const [batch, width, hidden] = [3, 5, 6];
  const rows = (kind === 'gru' ? 3 : 4) * hidden;
  const normal = (...shape: number[]) => rng.normalArray(shape, 0, 0.7);
  const common = {
    x: normal(time, batch, width),
    hidden: normal(batch, hidden),
    inputWeight: normal(rows, width),
    stateWeight: normal(rows, hidden),
  };
  const last = normal(batch, hidden);
  return kind === 'gru'
    ? {
        inputs: { ...common, inputBias: normal(rows), stateBias: normal(rows) },
        lossWeights: [normal(time, batch, hidden), last],
      }
    : {
        inputs: { ...common, cell: normal(batch, hidden), bias: normal(rows) },
        lossWeights: [normal(time, batch, hidden), last, normal(batch, hidden)],
      };
}

describe.each(['gru', 'lstm'] as const)('%s against plain loops over float64', (kind) => {
  const plain = { gru: gru64, lstm: lstm64 }[kind];
  const weightedSum = (inputs: Named, lossWeights: readonly Matrix[]) =>
    plain(inputs)
      .flatMap((values, place) => values.map((value, index) => value * lossWeights[place]!.data[index]!))
      .reduce((sum, value) => sum + value, 0);

  test.each([1, 40])('%i tokens: outputs, and gradients of finite differences', async (time) => {
    const { inputs, lossWeights } = drawn(kind, time);
    const slopes = Object.entries(inputs).map(([name, array]) => {
      const places = [0, array.data.length >> 1, array.data.length - 1];
      const at = (place: number, shift: number) => {
        const data = Float64Array.from(array.data);
        data[place] = data[place]! + shift;
        return weightedSum({ ...inputs, [name]: { shape: array.shape, data } }, lossWeights);
      };
      return { name, places, values: places.map((place) => (at(place, 1e-5) - at(place, -1e-5)) / 2e-5) };
    });
    for (const engine of engines) {
      const { outputs, gradients } = await compute(engine, layers[kind], inputs, lossWeights);
      plain(inputs).forEach((values, place) => {
        expect(relativeDifference(outputs[place]!, values), engine.name).toBeLessThan(3e-6);
      });
      for (const { name, places, values } of slopes) {
        const actual = places.map((place) => gradients[name]![place]!);
        expect(relativeDifference(actual, values), `${engine.name} ${name}`).toBeLessThan(3e-5);
      }
    }
  });
});

test('weights that do not fit are refused in a sentence', () => {
  const [x, state] = [tf.zeros([2, 1, 3]), tf.zeros([1, 4])];
  const weights = {
    inputWeight: tf.zeros([12, 3]),
    stateWeight: tf.zeros([12, 4]),
    inputBias: tf.zeros([12]),
    stateBias: tf.zeros([8]),
  };
  expect(() => gru(x, state, weights)).toThrow(
    "and weights of 3 · hidden rows, but got [2, 1, 3], [1, 4] and 'stateBias' [8].",
  );
  expect(() =>
    lstm(tf.zeros([0, 1, 3]), { hidden: state, cell: state }, { ...weights, bias: state }),
  ).toThrow('at least one token');
});
