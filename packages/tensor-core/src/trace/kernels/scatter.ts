import { sizeOf } from '@palimpsest/base';
import type { TraceKernel } from '../../op.js';
import { binary, cast, reshape, rowNumbers } from '../emit.js';
import type { GraphBuilder, Value } from '../graph.js';
import { reduce } from '../reduce.js';

/** Rows that may be added to one target one after the other before targets are multiplied, if there are few of them. */
const BLOCK = 4096;

/**
 * Adds rows into a table of zeros: `table[at[i]] += rows[i]`, where rows may repeat.
 * One ScatterElements over the flattened table. ScatterND with addition lets two threads add to one row at a time and
 * loses updates (onnxruntime-node 1.30); ScatterElements works in order, and is about as fast.
 * @param at indices `[count]`; rows outside the table are left out
 * @param rows `[count, width]`
 * @returns `[height, width]`
 */
function addRows(graph: GraphBuilder, at: Value, rows: Value, height: number): Value {
  const [count, width] = rows.shape as [number, number];
  if (count === 0 || width === 0 || height === 0) return graph.fill(0, [height, width], rows.dtype);
  const index = (value: number) => graph.indices([value]);
  const inside = binary(
    graph,
    'And',
    binary(graph, 'GreaterOrEqual', at, index(0), 'bool'),
    binary(graph, 'Less', at, index(height), 'bool'),
    'bool',
  );
  const place = graph.node('Where', [inside, at, index(0)], { shape: [count], dtype: at.dtype });
  const tables = rows.dtype === 'float32' ? copiesOf(height, count) : 1;
  const shifts = Array.from({ length: count }, (_, row) => (row % tables) * height);
  const shifted = tables === 1 ? place : binary(graph, 'Add', place, graph.indices(shifts));
  const starts = reshape(graph, binary(graph, 'Mul', shifted, index(width)), [count, 1]);
  const columns = graph.indices(Array.from({ length: width }, (_, i) => i));
  const cells = reshape(graph, binary(graph, 'Add', starts, columns), [count * width]);
  const kept = graph.node('Where', [reshape(graph, inside, [count, 1]), rows, graph.scalar(0, rows.dtype)], {
    shape: rows.shape,
    dtype: rows.dtype,
  });
  const target = graph.fill(0, [tables * height * width], rows.dtype);
  const summed = graph.node(
    'ScatterElements',
    [target, cells, reshape(graph, kept, [count * width])],
    target,
    {
      axis: 0,
      reduction: 'add',
    },
  );
  return reduce(graph, 'ReduceSum', reshape(graph, summed, [tables, height, width]), [0], false);
}

/** How many tables to add up, so that sums of very many rows keep their digits without taking more memory than the rows. */
const copiesOf = (height: number, count: number) =>
  Math.max(1, Math.min(Math.ceil(count / BLOCK), Math.floor(count / height)));

const segmentSum: TraceKernel = (graph, { x, segmentIds }, { numSegments }) => {
  const rowShape = x!.shape.slice(segmentIds!.shape.length);
  const height = Number(numSegments);
  const count = sizeOf(segmentIds!.shape);
  const rows = reshape(graph, x!, [count, sizeOf(rowShape)]);
  const at = cast(graph, reshape(graph, segmentIds!, [count]), graph.indexType);
  return [reshape(graph, addRows(graph, at, rows, height), [height, ...rowShape])];
};

const scatter: TraceKernel = (graph, { indices, updates }, attributes) => {
  const shape = attributes.shape as number[];
  const depth = indices!.shape.at(-1)!;
  const count = sizeOf(indices!.shape.slice(0, -1));
  const height = sizeOf(shape.slice(0, depth));
  const at = rowNumbers(graph, reshape(graph, indices!, [count, depth]), shape.slice(0, depth));
  const rows = reshape(graph, updates!, [count, sizeOf(shape.slice(depth))]);
  return [reshape(graph, addRows(graph, at, rows, height), shape)];
};

/** Kernels that add rows where they are told to. */
export const scatterKernels: Record<string, TraceKernel> = {
  UnsortedSegmentSum: segmentSum,
  ScatterNd: scatter,
};
