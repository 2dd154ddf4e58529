import { sizeOf } from '@palimpsest/base';
import type { TraceKernel } from '../../op.js';
import { binary, cast, reshape, rowNumbers, unary, where } from '../emit.js';
import { type GraphBuilder, isConstant, type Value } from '../graph.js';
import { prefixSum, type ReduceOp, reduce } from '../reduce.js';
import { logSoftmax, softmax } from '../softmax.js';

/** Axes of a TensorFlow.js reduction as non-negative numbers; all axes when none are named. */
function axesOf(attribute: unknown, rank: number): number[] {
  if (attribute === undefined || attribute === null) return Array.from({ length: rank }, (_, axis) => axis);
  const list = Array.isArray(attribute) ? (attribute as number[]) : [Number(attribute)];
  return list.map((axis) => (axis < 0 ? axis + rank : axis)).sort((a, b) => a - b);
}

/** Max and Min name their axes differently from the other reductions. */
const axesGiven = ({ axis, reductionIndices }: Record<string, unknown>, x: Value) =>
  axesOf(axis ?? reductionIndices, x.shape.length);

const reduction =
  (op: ReduceOp): TraceKernel =>
  (graph, { x }, attributes) => [
    reduce(graph, op, x!, axesGiven(attributes, x!), Boolean(attributes.keepDims)),
  ];

/** Of integers the mean is a float too. */
const mean: TraceKernel = (graph, { x }, attributes) => [
  reduce(
    graph,
    'ReduceMean',
    cast(graph, x!, 'float32'),
    axesGiven(attributes, x!),
    Boolean(attributes.keepDims),
  ),
];

/** The largest or smallest; NaN if there is one, which the runtime notices in some places only. */
const extremum =
  (op: 'ReduceMax' | 'ReduceMin'): TraceKernel =>
  (graph, { x }, attributes) => {
    const reduced = (reduction: ReduceOp, value: Value) =>
      reduce(graph, reduction, value, axesGiven(attributes, x!), Boolean(attributes.keepDims));
    const extreme = reduced(op, x!);
    if (x!.dtype !== 'float32' || isConstant(extreme)) return [extreme];
    const isOdd = cast(graph, unary(graph, 'IsNaN', x!, 'bool'), 'float32');
    const hasOdd = cast(graph, reduced('ReduceMax', isOdd), 'bool');
    return [where(graph, hasOdd, graph.scalar(Number.NaN), extreme, extreme.shape)];
  };

const logical =
  (op: 'ReduceMax' | 'ReduceMin'): TraceKernel =>
  (graph, { x }, { axis, keepDims }) => {
    const axes = axesOf(axis, x!.shape.length);
    if (sizeOf(axes.map((at) => x!.shape[at]!)) === 0) {
      const kept = reduce(graph, op, x!, axes, Boolean(keepDims));
      return [graph.fill(op === 'ReduceMin' ? 1 : 0, kept.shape, 'bool')];
    }
    return [cast(graph, reduce(graph, op, cast(graph, x!, 'int32'), axes, Boolean(keepDims)), 'bool')];
  };

/** The first of the largest or smallest. NaN counts for nothing, but at the first place nothing is beyond it. */
const argument =
  (op: 'ArgMax' | 'ArgMin'): TraceKernel =>
  (graph, { x }, { axis }) => {
    const at = axesOf(axis ?? 0, x!.shape.length)[0]!;
    const shape = x!.shape.filter((_, index) => index !== at);
    const beyond = op === 'ArgMax' ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
    const stand = Float32Array.from({ length: x!.shape[at]! }, (_, place) =>
      place === 0 ? beyond : -beyond,
    );
    const extents = x!.shape.map((extent, index) => (index === at ? extent : 1));
    const comparable =
      x!.dtype === 'float32'
        ? where(
            graph,
            unary(graph, 'IsNaN', x!, 'bool'),
            graph.constant(stand, extents, 'float32'),
            x!,
            x!.shape,
          )
        : cast(graph, x!, 'int32');
    if (graph.bits === 32) return [reshape(graph, firstExtreme(graph, op, comparable, at), shape)];
    const index = graph.node(op, [comparable], { shape, dtype: 'int64' }, { axis: at, keepdims: 0 });
    return [cast(graph, index, 'int32')];
  };

/** The first place of the largest or smallest along an axis, which is kept; its nodes have no 64-bit numbers. */
function firstExtreme(graph: GraphBuilder, op: 'ArgMax' | 'ArgMin', x: Value, axis: number): Value {
  const extent = x.shape[axis]!;
  const extreme = reduce(graph, op === 'ArgMax' ? 'ReduceMax' : 'ReduceMin', x, [axis], true);
  const places = reshape(
    graph,
    graph.indices(Array.from({ length: extent }, (_, place) => place)),
    x.shape.map((_, index) => (index === axis ? extent : 1)),
  );
  const isExtreme = binary(graph, 'Equal', x, extreme, 'bool');
  const marked = where(graph, isExtreme, places, graph.scalar(extent, 'int32'), x.shape);
  return reduce(graph, 'ReduceMin', marked, [axis], true);
}

const cumulativeSum: TraceKernel = (graph, { x }, { axis, exclusive, reverse }) => [
  prefixSum(graph, x!, Number(axis ?? 0), { exclusive: Boolean(exclusive), reverse: Boolean(reverse) }),
];

const softmaxLike =
  (form: typeof softmax): TraceKernel =>
  (graph, { logits }) => [form(graph, logits!)];

const topK: TraceKernel = (graph, { x }, { k }) => {
  const shape = [...x!.shape.slice(0, -1), Number(k)];
  const [values, indices] = graph.nodes(
    'TopK',
    [x!, graph.int64([Number(k)])],
    [
      { shape, dtype: x!.dtype },
      { shape, dtype: 'int64' },
    ],
  );
  return [values!, cast(graph, indices!, 'int32')];
};

/** Kernels that combine elements along axes. */
export const reductionKernels: Record<string, TraceKernel> = {
  Sum: reduction('ReduceSum'),
  Mean: mean,
  Max: extremum('ReduceMax'),
  Min: extremum('ReduceMin'),
  Prod: reduction('ReduceProd'),
  Any: logical('ReduceMax'),
  All: logical('ReduceMin'),
  ArgMax: argument('ArgMax'),
  ArgMin: argument('ArgMin'),
  Cumsum: cumulativeSum,
  Softmax: softmaxLike(softmax),
  LogSoftmax: softmaxLike(logSoftmax),
  TopK: topK,
  GatherNd: (graph, { params, indices }) => {
    const depth = indices!.shape.at(-1)!;
    const shape = [...indices!.shape.slice(0, -1), ...params!.shape.slice(depth)];
    if (graph.bits === 32) {
      const rows = reshape(graph, params!, [
        sizeOf(params!.shape.slice(0, depth)),
        ...params!.shape.slice(depth),
      ]);
      const at = rowNumbers(graph, indices!, params!.shape.slice(0, depth));
      return [graph.node('Gather', [rows, at], { shape, dtype: params!.dtype }, { axis: 0 })];
    }
    return [
      graph.node('GatherND', [params!, cast(graph, indices!, 'int64')], { shape, dtype: params!.dtype }),
    ];
  },
};
