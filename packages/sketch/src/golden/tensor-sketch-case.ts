import type { GoldenCase, GoldenHandler, GoldenOutputs } from '@palimpsest/base/golden';
import type { ConvolutionMethod } from '../circular.js';
import { TensorSketch } from '../tensor-sketch.js';
import { rowDots } from './row-dots.js';
import { storedTable } from './stored-table.js';

interface SketchConfig {
  readonly d: number;
  readonly m: number;
  readonly degreeMax: number;
  readonly gamma?: number;
  readonly coef0?: number;
}

/** TensorSketches of every degree with the given tables, and cross features with shared and independent tables. */
export const tensorSketchCase: GoldenHandler = {
  system: 'osam',
  kind: 'tensorsketch',
  run: (testCase) => {
    const [x, y] = [testCase.numbers('in/x'), testCase.numbers('in/y')];
    const methods = (['fft', 'direct'] as const).flatMap((method) => [
      degrees(testCase, [x, y], method),
      cross(testCase, [x, y], method),
    ]);
    return Object.assign({}, ...methods) as GoldenOutputs;
  },
};

type Pair = readonly [Float64Array, Float64Array];

const configOf = (testCase: GoldenCase) => testCase.config as unknown as SketchConfig;

/** A sketch with the case's tables of the given numbers, one per factor. */
function sketchWith(
  testCase: GoldenCase,
  numbers: readonly number[],
  method: ConvolutionMethod,
): TensorSketch {
  const { d, m, gamma = 1, coef0 = 0 } = configOf(testCase);
  const tables = numbers.map((number) => storedTable(testCase, `weights/f${number}`, m));
  return new TensorSketch({ dim: d, sketchDim: m, degree: tables.length, tables, gamma, coef0, method });
}

function degrees(testCase: GoldenCase, [x, y]: Pair, method: ConvolutionMethod): GoldenOutputs {
  const { d, m, degreeMax } = configOf(testCase);
  const all = Array.from({ length: degreeMax }, (_, i) => {
    const sketch = sketchWith(testCase, [...Array(i + 1).keys()], method);
    const name = (part: string) => `out/p${i + 1}/${part}@${method}`;
    const row = (v: Float64Array, r: number) => v.subarray(r * d, (r + 1) * d);
    return {
      [name('tx')]: () => sketch.transform(x),
      [name('ty')]: () => sketch.transform(y),
      [name('inner')]: () => rowDots(sketch.transform(x), sketch.transform(y), m),
      [name('kernel')]: () =>
        Array.from({ length: x.length / d }, (_, r) => sketch.kernel(row(x, r), row(y, r))),
    };
  });
  return Object.assign({}, ...all) as GoldenOutputs;
}

function cross(testCase: GoldenCase, [x, y]: Pair, method: ConvolutionMethod): GoldenOutputs {
  const features = (numbers: readonly number[], factors: Pair) => () =>
    sketchWith(testCase, numbers, method).transformFactors([...factors]);
  return {
    [`out/crossShared@${method}`]: features([0, 0], [x, y]),
    [`out/crossSharedSwapped@${method}`]: features([0, 0], [y, x]),
    [`out/crossIndependent@${method}`]: features([0, 1], [x, y]),
    [`out/crossIndependentSwapped@${method}`]: features([0, 1], [y, x]),
  };
}
