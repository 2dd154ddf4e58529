import { afterAll, describe, expect, test } from 'vitest';
import { createEngine, type Engine, type NDArray, tf, tracedKernels } from '../../src/index.js';
import { narrowEngine } from '../support/narrow-engine.js';
import { elementwiseCases } from './elementwise-cases.js';
import type { Expected, KernelCase } from './kernel-case.js';
import { reductionCaseList } from './reduction-cases.js';
import { shapeCases } from './shape-cases.js';

const cases: readonly KernelCase[] = [...elementwiseCases, ...reductionCaseList, ...shapeCases];

/** Engines by thread number; a graph with little work runs on one thread, so the others get a product to carry. */
const variants = [
  { title: 'cpu', engine: await createEngine('cpu'), work: false },
  { title: 'wasm', engine: await createEngine('wasm'), work: false },
  { title: 'onnx', engine: await createEngine('onnx', { threads: 1 }), work: false },
  { title: 'onnx on two threads', engine: await createEngine('onnx', { threads: 2 }), work: true },
  { title: 'onnx-web', engine: await createEngine('onnx-web'), work: false },
  { title: 'onnx, graphs of 32 bits', engine: await narrowEngine(), work: false, isNarrow: true },
];

afterAll(async () => {
  for (const { engine } of variants) await engine.dispose();
});

const SMALLEST_NORMAL = 2 ** -126;
const TOLERANCE = 4e-6;
/** Without float64, running sums of both signs have the digits of their terms where they cross zero. */
const SIZE_OF_TERMS = 0.1;

/** Where a value is not what was expected, in words; nothing when all is well. */
function differences(actual: NDArray, expected: Expected, smallest: number): string[] {
  const found: string[] = [];
  if (actual.dtype !== expected.dtype) found.push(`dtype ${actual.dtype} instead of ${expected.dtype}`);
  if (actual.shape.join() !== expected.shape.join())
    found.push(`shape [${actual.shape}] instead of [${expected.shape}]`);
  expected.values.forEach((value, index) => {
    const want = expected.dtype === 'float32' ? Math.fround(value) : value;
    const got = Number(actual.data[index]);
    if (Object.is(got, want) || got === want) return;
    const error = Math.abs(got - value) / Math.max(Math.abs(value), smallest);
    if (expected.dtype !== 'float32' || !(error <= TOLERANCE))
      found.push(`${got} instead of ${want} at ${index}`);
  });
  return found;
}

const listOf = (result: tf.Tensor | tf.Tensor[]) => (Array.isArray(result) ? result : [result]);

/** A product of matrices, large enough for a graph to run on all threads. */
const ballast = () => {
  const ones = tf.ones([160, 160]);
  return tf.matMul(ones, ones);
};

async function results(engine: Engine, kernelCase: KernelCase, work: boolean): Promise<NDArray[]> {
  const compiled = engine.compile((...inputs: tf.Tensor[]) => [
    ...listOf(kernelCase.run(inputs)),
    ...(work ? [ballast()] : []),
  ]);
  const outputs = await compiled(...(kernelCase.inputs as never[]));
  const arrays = await Promise.all(outputs.map((output) => output.toHost()));
  for (const output of outputs) output.dispose();
  await compiled.dispose();
  return arrays;
}

test('every kernel of the table has a case', () => {
  const covered = new Set(cases.map(({ kernel }) => kernel));
  const own = (name: string) => name.startsWith('Palimpsest.');
  expect(tracedKernels.filter((name) => !own(name) && !covered.has(name))).toEqual([]);
});

describe.each(variants)('on $title', ({ engine, work, isNarrow = false }) => {
  test.each(cases.map((kernelCase) => [kernelCase.name, kernelCase] as const))(
    '%s',
    async (_name, kernelCase) => {
      const actual = await results(engine, kernelCase, work);
      expect(actual).toHaveLength(kernelCase.expected.length + (work ? 1 : 0));
      const smallest = isNarrow && kernelCase.kernel === 'Cumsum' ? SIZE_OF_TERMS : SMALLEST_NORMAL;
      const found = kernelCase.expected.map((expected, index) =>
        differences(actual[index]!, expected, smallest),
      );
      expect(found).toEqual(kernelCase.expected.map(() => []));
    },
  );
});
