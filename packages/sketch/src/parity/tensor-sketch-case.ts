import type { SketchTable } from '../sketch-table.js';
import { TensorSketch } from '../tensor-sketch.js';
import { CaseReader, concatenate, dot, rowsOf } from './case-reader.js';
import type { ParityHandler } from './types.js';

/** TensorSketches of every degree with the given tables, and cross features with shared and independent tables. */
export const tensorSketchCase: ParityHandler = {
  system: 'osam',
  kind: 'tensorsketch',
  run: (testCase) => {
    const reader = new CaseReader(testCase);
    const { d, m, degreeMax } = reader.config<{ d: number; m: number; degreeMax: number }>();
    const table = (factor: number): SketchTable => ({
      dim: d,
      sketchDim: m,
      index: Int32Array.from(reader.tensor(`weights/f${factor}/h`).data),
      sign: Float32Array.from(reader.tensor(`weights/f${factor}/sign`).data),
    });
    const [x, y] = [rowsOf(reader.tensor('in/x')), rowsOf(reader.tensor('in/y'))];
    for (const method of ['fft', 'direct'] as const) {
      const sketchOf = (tables: SketchTable[]) =>
        new TensorSketch({ dim: d, sketchDim: m, degree: tables.length, tables, method });
      for (let degree = 1; degree <= degreeMax; degree++) {
        const sketch = sketchOf(Array.from({ length: degree }, (_, factor) => table(factor)));
        const [tx, ty] = [x.map((row) => sketch.transform(row)), y.map((row) => sketch.transform(row))];
        reader.compare(`out/p${degree}/tx`, concatenate(tx));
        reader.compare(`out/p${degree}/ty`, concatenate(ty));
        reader.compare(
          `out/p${degree}/inner`,
          tx.map((row, i) => dot(row, ty[i]!)),
        );
        reader.compare(
          `out/p${degree}/kernel`,
          x.map((row, i) => sketch.kernel(row, y[i]!)),
        );
      }
      const cross = (tables: SketchTable[], a: Float64Array[], b: Float64Array[]) =>
        concatenate(a.map((row, i) => sketchOf(tables).transformFactors([row, b[i]!])));
      const [shared, independent] = [
        [table(0), table(0)],
        [table(0), table(1)],
      ];
      reader.compare('out/crossShared', cross(shared, x, y));
      reader.compare('out/crossSharedSwapped', cross(shared, y, x));
      reader.compare('out/crossIndependent', cross(independent, x, y));
      reader.compare('out/crossIndependentSwapped', cross(independent, y, x));
    }
    return reader.outputs;
  },
};
