import { compactTable } from '../compact-table.js';
import { CountSketch } from '../count-sketch.js';
import { Mt19937 } from '../mt19937.js';
import { createTable, type SketchTable } from '../sketch-table.js';
import { sumBucketPlan } from '../sum-bucket-plan.js';
import { CaseReader, dot } from './case-reader.js';
import type { ParityHandler } from './types.js';

/** The d × d matrix SᵀS. */
function gram({ dim, index, sign }: SketchTable): Float64Array {
  const result = new Float64Array(dim * dim);
  for (let i = 0; i < dim; i++) {
    for (let j = 0; j < dim; j++) if (index[i] === index[j]) result[i * dim + j] = sign[i]! * sign[j]!;
  }
  return result;
}

/** The compact sketch as a u × d matrix. */
function compactMatrix(table: SketchTable): Float64Array {
  const { used, index, sign } = compactTable(table);
  const result = new Float64Array(used.length * table.dim);
  index.forEach((row, column) => {
    result[row * table.dim + column] = sign[column]!;
  });
  return result;
}

/** Tables from seeds, sketches, Gram matrix, compaction, live sum buckets and raw generator output. */
export const countSketchCase: ParityHandler = {
  system: 'osam',
  kind: 'countsketch',
  run: (testCase) => {
    const reader = new CaseReader(testCase);
    const { tables } = reader.config<{ tables: { d: number; m: number; seed: number }[] }>();
    tables.forEach(({ d, m, seed }, number) => {
      const table = createTable({ dim: d, sketchDim: m, seed });
      reader.compare(`weights/c${number}/h`, table.index);
      reader.compare(`weights/c${number}/sign`, table.sign);
      const sketch = new CountSketch(table);
      const [x, y] = ['x', 'y'].map((name) => sketch.apply(reader.values(`in/c${number}/${name}`)));
      reader.compare(`out/c${number}/Sx`, x!);
      reader.compare(`out/c${number}/Sy`, y!);
      const rows = x!.length / m;
      const inner = Array.from({ length: rows }, (_, row) =>
        dot(x!.subarray(row * m, (row + 1) * m), y!.subarray(row * m, (row + 1) * m)),
      );
      reader.compare(`out/c${number}/inner`, inner);
      reader.compare(`out/c${number}/gram`, gram(table));
      reader.compare(`out/c${number}/usedBuckets`, compactTable(table).used);
      reader.compare(`out/c${number}/compact`, compactMatrix(table));
      reader.compare(`out/c${number}/liveSumBuckets`, sumBucketPlan(table).live);
    });
    for (const name of testCase.tensors.keys()) compareRawOutput(reader, name);
    return reader.outputs;
  },
};

/** Outputs named `mt19937_seed<seed>_low31` and `uniform24_seed<seed>`. */
function compareRawOutput(reader: CaseReader, name: string): void {
  const words = /^out\/mt19937_seed(\d+)_low31$/.exec(name);
  const uniforms = /^out\/uniform24_seed(\d+)$/.exec(name);
  const seed = words?.[1] ?? uniforms?.[1];
  if (seed === undefined) return;
  const generator = new Mt19937(Number(seed));
  const draw = words ? () => generator.nextUint32() & 0x7fffffff : () => generator.nextUniform();
  reader.compare(name, Array.from({ length: reader.tensor(name).data.length }, draw));
}
