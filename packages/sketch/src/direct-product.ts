import { type CompactTable, compactTable } from './compact-table.js';
import type { SketchTable } from './sketch-table.js';
import { pairSums } from './sum-bucket-plan.js';

/** S₁x¹ ⊛ … ⊛ S_px^p by sums over the buckets that can be other than zero. */
export type DirectProduct = (inputs: readonly Float64Array[]) => Float64Array;

/** One more factor: pairs of a live bucket so far and a used bucket of the factor, and the bucket of their sum. */
interface Step {
  readonly live: Int32Array;
  readonly table: CompactTable;
  readonly buckets: Int32Array;
}

/** Plans the product of fixed tables, so that a product itself only multiplies and adds. */
export function planDirectProduct(tables: readonly SketchTable[]): DirectProduct {
  const { sketchDim } = tables[0]!;
  const first = compactTable(tables[0]!);
  const steps: Step[] = [];
  let reached = first.used;
  for (const table of tables.slice(1)) {
    const compact = compactTable(table);
    const buckets = pairSums(reached, compact.used, sketchDim);
    steps.push({ live: reached, table: compact, buckets });
    reached = distinct(buckets, sketchDim);
  }
  return (inputs) => {
    let product: Float64Array = new Float64Array(sketchDim);
    const start = compactApply(first, inputs[0]!);
    first.used.forEach((bucket, place) => {
      product[bucket] = start[place]!;
    });
    steps.forEach((step, factor) => {
      product = multiply(product, step, inputs[factor + 1]!);
    });
    return product;
  };
}

/** A multiplication whose sum goes to a scattered place costs about three of a transform's (`bench/tensor-sketch.mjs`). */
const SCATTERED = 3;

/** Cost of a product of `degree` factors in the unit of `fftCost`: no more than m buckets are ever live. */
export function directProductCost(dim: number, sketchDim: number, degree: number): number {
  let pairs = 0;
  for (let factor = 1; factor < degree; factor++) pairs += dim * Math.min(sketchDim, dim ** factor);
  return dim + SCATTERED * pairs;
}

function multiply(product: Float64Array, { live, table, buckets }: Step, input: Float64Array): Float64Array {
  const values = compactApply(table, input);
  const result = new Float64Array(product.length);
  let pair = 0;
  for (const bucket of live) {
    const value = product[bucket]!;
    for (let b = 0; b < values.length; b++) {
      const sum = buckets[pair]!;
      result[sum] = result[sum]! + value * values[b]!;
      pair += 1;
    }
  }
  return result;
}

/** Which of m buckets occur, ascending. */
function distinct(buckets: Int32Array, sketchDim: number): Int32Array {
  const occurs = new Uint8Array(sketchDim);
  for (const bucket of buckets) occurs[bucket] = 1;
  return Int32Array.from(occurs.keys()).filter((bucket) => occurs[bucket] === 1);
}

function compactApply({ used, index, sign }: CompactTable, x: Float64Array): Float64Array {
  const result = new Float64Array(used.length);
  for (let i = 0; i < x.length; i++) {
    const place = index[i]!;
    result[place] = result[place]! + sign[i]! * x[i]!;
  }
  return result;
}
