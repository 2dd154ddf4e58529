import { sizeOf } from '@palimpsest/base';
import type { tf } from '../tf.js';
import { allocate, type HostKernel, type Numbers } from './host-kernel.js';

type Fold = (total: number, x: number) => number;

interface Folding {
  readonly start: (dtype: tf.DataType) => number;
  readonly add: Fold;
  /** The same for integers, where it differs. */
  readonly addInt?: Fold;
  /** The result of a total over so many elements. Default: the total. */
  readonly finish?: (total: number, count: number) => number;
  readonly dtype?: tf.DataType;
}

/** A reduction in float64. */
const reduction =
  ({ start, add, addInt = add, finish = (total) => total, dtype: fixed }: Folding): HostKernel =>
  ({ x }, { axis, reductionIndices, keepDims }, read) => {
    const shape = x!.shape;
    const given = axis ?? reductionIndices ?? [...shape.keys()];
    const axes = ([given].flat() as number[]).map((at) => (at < 0 ? at + shape.length : at));
    const kept = shape.map((extent, index) => (axes.includes(index) ? 1 : extent));
    const size = sizeOf(kept);
    const totals = new Float64Array(size).fill(start(x!.dtype));
    foldInto(totals, read(x!), runsOf(shape, kept), x!.dtype === 'float32' ? add : addInt);
    const dtype = fixed ?? (x!.dtype === 'bool' ? 'int32' : x!.dtype);
    const values = allocate(dtype, size);
    const count = sizeOf(axes.map((at) => shape[at]!));
    for (let i = 0; i < size; i++) values[i] = finish(totals[i]!, count);
    return { values, shape: keepDims ? kept : kept.filter((_, index) => !axes.includes(index)), dtype };
  };

/** Neighbouring axes that are all kept or all reduced. */
interface Run {
  extent: number;
  readonly stays: boolean;
}

function runsOf(shape: readonly number[], kept: readonly number[]): Run[] {
  const runs: Run[] = [];
  shape.forEach((extent, axis) => {
    if (extent === 1) return;
    const stays = kept[axis] === extent;
    const run = runs.at(-1);
    if (run && run.stays === stays) run.extent *= extent;
    else runs.push({ extent, stays });
  });
  return runs.length > 0 ? runs : [{ extent: 1, stays: true }];
}

/** Folds every element into its total, run inside of run. */
function foldInto(totals: Float64Array, source: Numbers, runs: readonly Run[], fold: Fold): void {
  if (source.length === 0) return;
  const sizes = runs.map((_, level) => sizeOf(runs.slice(level + 1).map(({ extent }) => extent)));
  const steps = runs.map((_, level) =>
    sizeOf(runs.slice(level + 1).map(({ extent, stays }) => (stays ? extent : 1))),
  );
  // Sums are what training asks for; added here and not by a call, they take a third of the time.
  const isSum = fold === plus;
  const walk = (level: number, from: number, place: number) => {
    const { extent, stays } = runs[level]!;
    if (level < runs.length - 1) {
      const step = stays ? steps[level]! : 0;
      for (let i = 0; i < extent; i++) walk(level + 1, from + i * sizes[level]!, place + i * step);
    } else if (stays) {
      if (isSum) for (let i = 0; i < extent; i++) totals[place + i]! += source[from + i]!;
      else for (let i = 0; i < extent; i++) totals[place + i] = fold(totals[place + i]!, source[from + i]!);
    } else {
      let total = totals[place]!;
      if (isSum) for (let i = 0; i < extent; i++) total += source[from + i]!;
      else for (let i = 0; i < extent; i++) total = fold(total, source[from + i]!);
      totals[place] = total;
    }
  };
  walk(0, 0, 0);
}

const lowest = (dtype: tf.DataType) => (dtype === 'int32' ? -(2 ** 31) : Number.NEGATIVE_INFINITY);
const highest = (dtype: tf.DataType) => (dtype === 'int32' ? 2 ** 31 - 1 : Number.POSITIVE_INFINITY);
const zero = () => 0;
const plus: Fold = (total, x) => total + x;

/** Reductions that are right over an axis of length 0 and of integers as well, by the names of their kernels. */
export const hostReductions: Readonly<Record<string, HostKernel>> = {
  Sum: reduction({ start: zero, add: plus }),
  Mean: reduction({ start: zero, add: plus, finish: (total, count) => total / count, dtype: 'float32' }),
  Max: reduction({ start: lowest, add: Math.max }),
  Min: reduction({ start: highest, add: Math.min }),
  Any: reduction({ start: zero, add: Math.max, dtype: 'bool' }),
  All: reduction({ start: () => 1, add: Math.min, dtype: 'bool' }),
  Prod: reduction({ start: () => 1, add: (total, x) => total * x, addInt: Math.imul }),
};
