import type { GoldenCase } from '@palimpsest/base/golden';
import type { SketchTable } from '../sketch-table.js';

/** The table of a case under `prefix/h` and `prefix/sign`. */
export function storedTable(testCase: GoldenCase, prefix: string, sketchDim: number): SketchTable {
  const index = testCase.integers(`${prefix}/h`);
  return {
    dim: index.length,
    sketchDim,
    index,
    sign: Float32Array.from(testCase.tensor(`${prefix}/sign`).data),
  };
}
