import type { ConvolutionMethod } from '../circular.js';
import type { SketchTable } from '../sketch-table.js';
import { TensorSketch } from '../tensor-sketch.js';
import { CaseReader, rowDots } from './case-reader.js';
import type { ParityHandler } from './types.js';

interface SketchConfig {
  readonly d: number;
  readonly m: number;
  readonly degreeMax: number;
  readonly gamma?: number;
  readonly coef0?: number;
}

/** TensorSketches of every degree with the given tables, and cross features with shared and independent tables. */
export const tensorSketchCase: ParityHandler = {
  system: 'osam',
  kind: 'tensorsketch',
  run: (testCase) => {
    const reader = new CaseReader(testCase);
    for (const method of ['fft', 'direct'] as const) {
      compareDegrees(reader, method);
      compareCross(reader, method);
    }
    return reader.outputs;
  },
};

/** Builds a sketch with the case's tables of the given numbers, one per factor. */
function sketchWith(reader: CaseReader, tables: readonly number[], method: ConvolutionMethod): TensorSketch {
  const { d, m, gamma = 1, coef0 = 0 } = reader.config<SketchConfig>();
  const table = (number: number): SketchTable => {
    const index = Int32Array.from(reader.tensor(`weights/f${number}/h`).data);
    return { dim: index.length, sketchDim: m, index, sign: reader.floats(`weights/f${number}/sign`) };
  };
  return new TensorSketch({
    dim: d,
    sketchDim: m,
    degree: tables.length,
    tables: tables.map(table),
    gamma,
    coef0,
    method,
  });
}

function compareDegrees(reader: CaseReader, method: ConvolutionMethod): void {
  const { d, m, degreeMax } = reader.config<SketchConfig>();
  const [x, y] = [reader.values('in/x'), reader.values('in/y')];
  for (let degree = 1; degree <= degreeMax; degree++) {
    const sketch = sketchWith(reader, [...Array(degree).keys()], method);
    const [tx, ty] = [sketch.transform(x), sketch.transform(y)];
    reader.compare(`out/p${degree}/tx`, tx);
    reader.compare(`out/p${degree}/ty`, ty);
    reader.compare(`out/p${degree}/inner`, rowDots(tx, ty, m));
    const kernels = Array.from({ length: x.length / d }, (_, row) =>
      sketch.kernel(x.subarray(row * d, (row + 1) * d), y.subarray(row * d, (row + 1) * d)),
    );
    reader.compare(`out/p${degree}/kernel`, kernels);
  }
}

function compareCross(reader: CaseReader, method: ConvolutionMethod): void {
  const [x, y] = [reader.values('in/x'), reader.values('in/y')];
  for (const [name, tables] of [
    ['crossShared', [0, 0]],
    ['crossIndependent', [0, 1]],
  ] as const) {
    if (!reader.has(`out/${name}`) && !reader.has(`out/${name}Swapped`)) continue;
    const sketch = sketchWith(reader, tables, method);
    reader.compare(`out/${name}`, sketch.transformFactors([x, y]));
    reader.compare(`out/${name}Swapped`, sketch.transformFactors([y, x]));
  }
}
