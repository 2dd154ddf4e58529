import { compactTable } from '../compact-table.js';
import { CountSketch } from '../count-sketch.js';
import { Mt19937 } from '../mt19937.js';
import { createTable, type SketchTable } from '../sketch-table.js';
import { sumBucketPlan } from '../sum-bucket-plan.js';
import { CaseReader, rowDots } from './case-reader.js';
import type { ParityHandler } from './types.js';

interface TableConfig {
  readonly d: number;
  readonly m: number;
  /** Missing when the case carries a table of another origin. */
  readonly seed?: number;
}

/** Tables from seeds, sketches, Gram matrix, compaction, live sum buckets and raw generator output. */
export const countSketchCase: ParityHandler = {
  system: 'osam',
  kind: 'countsketch',
  run: (testCase) => {
    const reader = new CaseReader(testCase);
    const { tables = [] } = reader.config<{ tables?: TableConfig[] }>();
    for (const [number, config] of tables.entries()) compareTable(reader, number, config);
    for (const name of testCase.tensors.keys()) compareRawOutput(reader, name);
    return reader.outputs;
  },
};

function compareTable(reader: CaseReader, number: number, { d, m, seed }: TableConfig): void {
  if (seed !== undefined) {
    const drawn = createTable({ dim: d, sketchDim: m, seed });
    reader.compare(`weights/c${number}/h`, drawn.index);
    reader.compare(`weights/c${number}/sign`, drawn.sign);
  }
  // Everything else follows from the stored table, as for a checkpoint.
  const table: SketchTable = {
    dim: d,
    sketchDim: m,
    index: Int32Array.from(reader.tensor(`weights/c${number}/h`).data),
    sign: reader.floats(`weights/c${number}/sign`),
  };
  const sketch = new CountSketch(table);
  const x = sketch.apply(reader.floats(`in/c${number}/x`));
  const y = sketch.apply(reader.floats(`in/c${number}/y`));
  reader.compare(`out/c${number}/Sx`, x);
  reader.compare(`out/c${number}/Sy`, y);
  reader.compare(`out/c${number}/inner`, rowDots(x, y, m));
  reader.compare(`out/c${number}/gram`, gram(table));
  reader.compare(`out/c${number}/usedBuckets`, compactTable(table).used);
  reader.compare(`out/c${number}/compact`, compactMatrix(table));
  reader.compare(`out/c${number}/liveSumBuckets`, sumBucketPlan(table).live);
}

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
  for (const [column, row] of index.entries()) result[row * table.dim + column] = sign[column]!;
  return result;
}

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
