import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Engine, ndarray, tf } from '../../src/index.js';
import { loadableEngines } from '../support/engines.js';
import { relativeDifference } from '../support/numbers.js';
import { type OpCase, opCases } from './cases.js';
import { compositeCases } from './composites.js';

const engines = await loadableEngines();
const oracle = engines.find(({ name }) => name === 'cpu')!;
const others = engines.filter((engine) => engine !== oracle);

afterAll(async () => {
  for (const engine of engines) await engine.dispose();
});

const listOf = (result: tf.Tensor | tf.Tensor[]) => (Array.isArray(result) ? result : [result]);

/** Weights that make every output element count differently. */
function weighted(result: tf.Tensor | tf.Tensor[]): tf.Tensor {
  const parts = listOf(result).map((tensor) => {
    const weights = Float32Array.from({ length: tensor.size }, (_, index) => Math.sin(index + 1) + 1.2);
    return tf.sum(tf.mul(tf.cast(tensor, 'float32'), tf.tensor(weights, tensor.shape)));
  });
  return parts.reduce((total, part) => tf.add(total, part));
}

async function forward(engine: Engine, opCase: OpCase): Promise<number[][]> {
  const compiled = engine.compile((...inputs: tf.Tensor[]) => listOf(opCase.run(inputs)), {
    name: opCase.name,
  });
  const outputs = await compiled(...(opCase.inputs as never[]));
  const values = await Promise.all(outputs.map(async (output) => Array.from(await output.data())));
  for (const output of outputs) output.dispose();
  await compiled.dispose();
  return values;
}

async function gradients(engine: Engine, opCase: OpCase): Promise<number[][]> {
  const compiled = engine.compile(
    (...inputs: tf.Tensor[]) => {
      const chosen = opCase.differentiate.map((index) => inputs[index]!);
      const gradient = tf.grads((...variables: tf.Tensor[]) => {
        const all = [...inputs];
        opCase.differentiate.forEach((index, position) => {
          all[index] = variables[position]!;
        });
        return weighted(opCase.run(all)) as tf.Scalar;
      });
      return gradient(chosen);
    },
    { name: `gradient of ${opCase.name}` },
  );
  const outputs = await compiled(...(opCase.inputs as never[]));
  const values = await Promise.all(outputs.map(async (output) => Array.from(await output.data())));
  for (const output of outputs) output.dispose();
  await compiled.dispose();
  return values;
}

/** Central differences of the weighted sum of the outputs, on the oracle. */
async function finiteDifferences(opCase: OpCase, input: number, step: number): Promise<number[]> {
  const compiled = oracle.compile((...inputs: tf.Tensor[]) => weighted(opCase.run(inputs)));
  const base = opCase.inputs[input]!;
  const valueAt = async (element: number, shift: number) => {
    const data = Float32Array.from(base.data);
    data[element] = data[element]! + shift;
    const inputs = opCase.inputs.map((array, index) => (index === input ? ndarray(data, base.shape) : array));
    const value = await compiled(...(inputs as never[]));
    const number = await value.item();
    value.dispose();
    return number;
  };
  const slopes: number[] = [];
  for (let element = 0; element < base.data.length; element++) {
    slopes.push(((await valueAt(element, step)) - (await valueAt(element, -step))) / (2 * step));
  }
  return slopes;
}

describe.each([...opCases, ...compositeCases])('$name', (opCase) => {
  let expected: number[][];
  beforeAll(async () => {
    expected = await forward(oracle, opCase);
  });

  test('has the same values on every engine', async () => {
    for (const engine of others) {
      const actual = await forward(engine, opCase);
      expect(actual.length, engine.name).toBe(expected.length);
      actual.forEach((values, index) => {
        expect(relativeDifference(values, expected[index]!), engine.name).toBeLessThan(2e-6);
      });
    }
  });

  if (opCase.differentiate.length > 0) {
    test('has the same gradients on every engine, equal to finite differences', async () => {
      const reference = await gradients(oracle, opCase);
      for (const [position, input] of opCase.differentiate.entries()) {
        const slopes = await finiteDifferences(opCase, input, 5e-3);
        expect(relativeDifference(reference[position]!, slopes), 'finite differences').toBeLessThan(1e-2);
      }
      for (const engine of others) {
        const actual = await gradients(engine, opCase);
        actual.forEach((values, index) => {
          expect(relativeDifference(values, reference[index]!), engine.name).toBeLessThan(5e-6);
        });
      }
    });
  }
});
