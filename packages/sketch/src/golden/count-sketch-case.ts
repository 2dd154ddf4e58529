import type { GoldenCase, GoldenHandler, GoldenOutputs } from '@palimpsest/base/golden';
import { compactTable } from '../compact-table.js';
import { CountSketch } from '../count-sketch.js';
import { Mt19937 } from '../mt19937.js';
import { createTable, type SketchTable } from '../sketch-table.js';
import { sumBucketPlan } from '../sum-bucket-plan.js';
import { rowDots } from './row-dots.js';
import { storedTable } from './stored-table.js';

interface TableConfig {
  readonly d: number;
  readonly m: number;
  /** Missing when the case carries a table of another origin. */
  readonly seed?: number;
}

/** Tables from seeds, sketches, Gram matrix, compaction, live sum buckets and raw generator output. */
export const countSketchCase: GoldenHandler = {
  system: 'osam',
  kind: 'countsketch',
  run: (testCase) => {
    const { tables = [] } = testCase.config as { readonly tables?: readonly TableConfig[] };
    const outputs = tables.map((config, number) => tableOutputs(testCase, number, config));
    return Object.assign(rawOutputs(testCase), ...outputs) as GoldenOutputs;
  },
};

function tableOutputs(testCase: GoldenCase, number: number, { d, m, seed }: TableConfig): GoldenOutputs {
  // Everything but the draw follows from the stored table, as for a checkpoint.
  const table = storedTable(testCase, `weights/c${number}`, m);
  const sketch = new CountSketch(table);
  const sketched = (name: string) =>
    sketch.apply(Float32Array.from(testCase.tensor(`in/c${number}/${name}`).data));
  const [x, y] = [sketched('x'), sketched('y')];
  const drawn = seed === undefined ? undefined : createTable({ dim: d, sketchDim: m, seed });
  return {
    ...(drawn && { [`weights/c${number}/h`]: drawn.index, [`weights/c${number}/sign`]: drawn.sign }),
    [`out/c${number}/Sx`]: () => x,
    [`out/c${number}/Sy`]: () => y,
    [`out/c${number}/inner`]: () => rowDots(x, y, m),
    [`out/c${number}/gram`]: () => gram(table),
    [`out/c${number}/usedBuckets`]: () => compactTable(table).used,
    [`out/c${number}/compact`]: () => compactMatrix(table),
    [`out/c${number}/liveSumBuckets`]: () => sumBucketPlan(table).live,
  };
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
function rawOutputs(testCase: GoldenCase): Record<string, number[]> {
  const outputs: Record<string, number[]> = {};
  for (const name of testCase.names('out/')) {
    const words = /^out\/mt19937_seed(\d+)_low31$/.exec(name);
    const seed = words?.[1] ?? /^out\/uniform24_seed(\d+)$/.exec(name)?.[1];
    if (seed === undefined) continue;
    const generator = new Mt19937(Number(seed));
    const draw = words ? () => generator.nextUint32() & 0x7fffffff : () => generator.nextUniform();
    outputs[name] = Array.from({ length: testCase.shape(name)[0] ?? 1 }, draw);
  }
  return outputs;
}
