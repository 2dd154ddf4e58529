import { sizeOf } from '@palimpsest/base';
import { binary, cast, padEnd, reshape, slice } from './emit.js';
import type { GraphBuilder, Value, ValueDType } from './graph.js';

export type ReduceOp =
  | 'ReduceSum'
  | 'ReduceMean'
  | 'ReduceSumSquare'
  | 'ReduceMax'
  | 'ReduceMin'
  | 'ReduceProd';

/** What a reduction over no element gives: its neutral element; a mean has none. */
function ofNothing(op: ReduceOp, dtype: ValueDType): number {
  if (op === 'ReduceProd') return 1;
  if (op === 'ReduceMean') return Number.NaN;
  if (op === 'ReduceMax') return dtype === 'int32' ? -(2 ** 31) : Number.NEGATIVE_INFINITY;
  if (op === 'ReduceMin') return dtype === 'int32' ? 2 ** 31 - 1 : Number.POSITIVE_INFINITY;
  return 0;
}

/** Reduces over axes. `keepDims` keeps them with extent 1. Sums and means of float32 are exact to 1e-6. */
export function reduce(
  graph: GraphBuilder,
  op: ReduceOp,
  x: Value,
  axes: readonly number[],
  keepDims: boolean,
): Value {
  const kept = x.shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent));
  const shape = keepDims ? kept : kept.filter((_, axis) => !axes.includes(axis));
  const count = axes.reduce((product, axis) => product * x.shape[axis]!, 1);
  if (count === 0 || sizeOf(shape) === 0) return graph.fill(ofNothing(op, x.dtype), shape, x.dtype);
  if (x.fill !== undefined) return graph.fill(ofEqualNumbers(op, x.fill, count), shape, x.dtype);
  if (op !== 'ReduceSumSquare' && count === 1) return reshape(graph, x, shape);
  const sums = op === 'ReduceSum' || op === 'ReduceMean' || op === 'ReduceSumSquare';
  if (!sums || x.dtype !== 'float32' || count <= longestPlainSum(x, axes)) {
    return graph.node(op, [x, graph.int64(axes)], { shape, dtype: x.dtype }, { keepdims: keepDims ? 1 : 0 });
  }
  return reshape(graph, longSum(graph, op, x, axes), shape);
}

function ofEqualNumbers(op: ReduceOp, value: number, count: number): number {
  if (op === 'ReduceSum') return Math.fround(value * count);
  if (op === 'ReduceSumSquare') return Math.fround(value * value * count);
  return op === 'ReduceProd' ? Math.fround(value ** count) : value;
}

type SumOp = 'ReduceSum' | 'ReduceMean' | 'ReduceSumSquare';

/** Terms that may be added in float32 one after the other with an error below 1e-6. */
const LONGEST_PLAIN_SUM = 64;

/**
 * Terms that one node may add in float32. Along the last axis the runtime adds several of them side by side at least on
 * Node, and rows as wide as a small model should stay one node.
 */
function longestPlainSum(x: Value, axes: readonly number[]): number {
  return axes.at(-1) === x.shape.length - 1 ? 128 : LONGEST_PLAIN_SUM;
}

/** Terms of the blocks in which a long sum begins, still in float32. */
const BLOCK = { least: 8, most: 32 } as const;
/** So many sums of blocks may be added in float32 as well. */
const FEW_BLOCKS = 16;

/**
 * A long sum: blocks of a few terms in float32, the blocks in float64, or in blocks again where there is none. ONNX Runtime
 * adds float32 into one accumulator, which is 1 % off after a million terms and stands still at 2^24 ones.
 */
function longSum(graph: GraphBuilder, op: SumOp, x: Value, axes: readonly number[]): Value {
  let result = x;
  let step = op;
  // Neighbouring axes are summed as one; the last ones first, so that those before them keep their numbers.
  for (const [first, last] of neighbours(axes).reverse()) {
    const { shape } = result;
    const outer = sizeOf(shape.slice(0, first));
    const inner = sizeOf(shape.slice(last + 1));
    const count = sizeOf(shape.slice(first, last + 1));
    const summed = sumMiddle(graph, step, reshape(graph, result, [outer, count, inner]));
    result = reshape(graph, summed, [...shape.slice(0, first), ...shape.slice(last + 1)]);
    if (step === 'ReduceSumSquare') step = 'ReduceSum';
  }
  return result;
}

/** Runs of consecutive axes, as pairs of the first and the last. */
function neighbours(axes: readonly number[]): [number, number][] {
  const runs: [number, number][] = [];
  for (const axis of axes) {
    const run = runs.at(-1);
    if (run && run[1] === axis - 1) run[1] = axis;
    else runs.push([axis, axis]);
  }
  return runs;
}

/** Sums `[outer, count, inner]` over its middle axis. */
function sumMiddle(graph: GraphBuilder, op: SumOp, x: Value): Value {
  const [outer, count, inner] = x.shape as [number, number, number];
  if (graph.bits === 32) return sumOfBlocks(graph, op, x);
  const block = blockLength(count);
  if (!block) return cast(graph, overAxis(graph, op, cast(graph, x, 'float64'), 1), 'float32');
  // The runtime adds along the last axis ten times as fast as along the last but one of extent 1.
  const behind = inner === 1 ? [] : [inner];
  const blocks = reshape(graph, x, [outer, count / block, block, ...behind]);
  const partial = overAxis(graph, op, blocks, 2);
  const rest = afterBlocks(op);
  if (count / block <= FEW_BLOCKS) return overAxis(graph, rest, partial, 1);
  return cast(graph, overAxis(graph, rest, cast(graph, partial, 'float64'), 1), 'float32');
}

/**
 * Sums `[outer, count, inner]` over its middle axis in float32 alone: blocks, blocks of their sums, and so on. A term takes
 * part in as many additions as there are digits in the count, to the base of a block, times a block.
 */
function sumOfBlocks(graph: GraphBuilder, op: SumOp, x: Value): Value {
  const [outer, count, inner] = x.shape as [number, number, number];
  if (count <= LONGEST_PLAIN_SUM) return overAxis(graph, op, x, 1);
  const block = blockLength(count);
  if (block) {
    const partial = overAxis(graph, op, reshape(graph, x, [outer, count / block, block, inner]), 2);
    return sumOfBlocks(graph, afterBlocks(op), partial);
  }
  const filled = padEnd(graph, x, 1, BLOCK.most - (count % BLOCK.most));
  if (op !== 'ReduceMean') return sumOfBlocks(graph, op, filled);
  return binary(graph, 'Div', sumOfBlocks(graph, 'ReduceSum', filled), graph.scalar(count));
}

/** What is done with the results of blocks: squares are taken once. */
const afterBlocks = (op: SumOp): SumOp => (op === 'ReduceMean' ? op : 'ReduceSum');

/** The largest fitting block that divides a count; none for counts such as primes. */
function blockLength(count: number): number | undefined {
  for (let length: number = BLOCK.most; length >= BLOCK.least; length--)
    if (count % length === 0) return length;
  return undefined;
}

function overAxis(graph: GraphBuilder, op: ReduceOp, x: Value, axis: number): Value {
  const shape = x.shape.filter((_, index) => index !== axis);
  if (x.shape[axis] === 1 && op !== 'ReduceSumSquare') return reshape(graph, x, shape);
  return graph.node(op, [x, graph.int64([axis])], { shape, dtype: x.dtype }, { keepdims: 0 });
}

interface PrefixFlags {
  readonly exclusive: boolean;
  readonly reverse: boolean;
}

/** Longest running sum in float32; longer ones run in float64, because all terms go into one accumulator. */
const LONGEST_PLAIN_PREFIX = 64;

/** Running sums along an axis. */
export function prefixSum(graph: GraphBuilder, x: Value, axis: number, flags: PrefixFlags): Value {
  if (sizeOf(x.shape) === 0) return x;
  if (graph.bits === 32) return prefixSumOfBlocks(graph, x, axis, flags);
  const isLong = x.dtype === 'float32' && x.shape[axis]! > LONGEST_PLAIN_PREFIX;
  const terms = isLong ? cast(graph, x, 'float64') : x;
  const sums = runningSum(graph, terms, axis, flags);
  return isLong ? cast(graph, sums, 'float32') : sums;
}

const runningSum = (
  graph: GraphBuilder,
  x: Value,
  axis: number,
  { exclusive, reverse }: PrefixFlags,
): Value =>
  graph.node('CumSum', [x, reshape(graph, graph.int64([axis]), [])], x, {
    exclusive: exclusive ? 1 : 0,
    reverse: reverse ? 1 : 0,
  });

/** Running sums of blocks in float32, and what the blocks before them sum up to. */
function prefixSumOfBlocks(graph: GraphBuilder, x: Value, axis: number, flags: PrefixFlags): Value {
  const { shape } = x;
  const count = shape[axis]!;
  if (x.dtype !== 'float32' || count <= LONGEST_PLAIN_PREFIX) return runningSum(graph, x, axis, flags);
  const outer = sizeOf(shape.slice(0, axis));
  const inner = sizeOf(shape.slice(axis + 1));
  const blocks = Math.ceil(count / BLOCK.most);
  const whole = padEnd(graph, reshape(graph, x, [outer, count, inner]), 1, blocks * BLOCK.most - count);
  const apart = reshape(graph, whole, [outer, blocks, BLOCK.most, inner]);
  const before = prefixSumOfBlocks(graph, reduce(graph, 'ReduceSum', apart, [2], true), 1, {
    exclusive: true,
    reverse: flags.reverse,
  });
  const sums = binary(graph, 'Add', runningSum(graph, apart, 2, flags), before);
  const flat = reshape(graph, sums, [outer, blocks * BLOCK.most, inner]);
  return reshape(graph, slice(graph, flat, [0, 0, 0], [outer, count, inner]), shape);
}
