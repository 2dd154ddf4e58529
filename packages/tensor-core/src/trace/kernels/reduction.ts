import type { TraceKernel } from '../../op.js';
import { cast, reduce, reshape } from '../emit.js';
import type { GraphBuilder, Value } from '../graph.js';

/** Axes of a TensorFlow.js reduction as non-negative numbers; all axes when none are named. */
function axesOf(attribute: unknown, rank: number): number[] {
  if (attribute === undefined || attribute === null) return Array.from({ length: rank }, (_, axis) => axis);
  const list = Array.isArray(attribute) ? (attribute as number[]) : [Number(attribute)];
  return list.map((axis) => (axis < 0 ? axis + rank : axis)).sort((a, b) => a - b);
}

const reduction =
  (op: Parameters<typeof reduce>[1]): TraceKernel =>
  (graph, { x }, { axis, reductionIndices, keepDims }) => [
    // Max and Min name their axes differently from the other reductions.
    reduce(graph, op, x!, axesOf(axis ?? reductionIndices, x!.shape.length), Boolean(keepDims)),
  ];

const logical =
  (op: 'ReduceMax' | 'ReduceMin'): TraceKernel =>
  (graph, { x }, { axis, keepDims }) => {
    const numbers = cast(graph, x!, 'int32');
    return [
      cast(graph, reduce(graph, op, numbers, axesOf(axis, x!.shape.length), Boolean(keepDims)), 'bool'),
    ];
  };

const argument =
  (op: 'ArgMax' | 'ArgMin'): TraceKernel =>
  (graph, { x }, { axis }) => {
    const at = axesOf(axis, x!.shape.length)[0]!;
    const shape = x!.shape.filter((_, index) => index !== at);
    const index = graph.node(op, [x!], { shape, dtype: 'int64' }, { axis: at, keepdims: 0 });
    return [cast(graph, index, 'int32')];
  };

const prefixSum: TraceKernel = (graph, { x }, { axis, exclusive, reverse }) => [
  graph.node('CumSum', [x!, reshape(graph, graph.int64([Number(axis)]), [])], x!, {
    exclusive: exclusive ? 1 : 0,
    reverse: reverse ? 1 : 0,
  }),
];

const softmaxLike =
  (op: 'Softmax' | 'LogSoftmax'): TraceKernel =>
  (graph, { logits }) => [graph.node(op, [logits!], logits!, { axis: logits!.shape.length - 1 })];

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

/** Sums of rows that share a segment number, as a scatter with addition. */
function segmentSum(graph: GraphBuilder, x: Value, segmentIds: Value, numSegments: number): Value {
  const rowShape = x.shape.slice(segmentIds.shape.length);
  const indices = cast(graph, reshape(graph, segmentIds, [...segmentIds.shape, 1]), 'int64');
  const target = graph.fill(0, [numSegments, ...rowShape], x.dtype);
  return graph.node('ScatterND', [target, indices, x], target, { reduction: 'add' });
}

/** Kernels that combine elements along axes. */
export const reductionKernels: Record<string, TraceKernel> = {
  Sum: reduction('ReduceSum'),
  Mean: reduction('ReduceMean'),
  Max: reduction('ReduceMax'),
  Min: reduction('ReduceMin'),
  Prod: reduction('ReduceProd'),
  Any: logical('ReduceMax'),
  All: logical('ReduceMin'),
  ArgMax: argument('ArgMax'),
  ArgMin: argument('ArgMin'),
  Cumsum: prefixSum,
  Softmax: softmaxLike('Softmax'),
  LogSoftmax: softmaxLike('LogSoftmax'),
  TopK: topK,
  UnsortedSegmentSum: (graph, { x, segmentIds }, { numSegments }) => [
    segmentSum(graph, x!, segmentIds!, Number(numSegments)),
  ],
  ScatterNd: (graph, { indices, updates }, { shape }) => {
    const target = graph.fill(0, shape as number[], updates!.dtype);
    return [
      graph.node('ScatterND', [target, cast(graph, indices!, 'int64'), updates!], target, {
        reduction: 'add',
      }),
    ];
  },
  GatherNd: (graph, { params, indices }) => {
    const depth = indices!.shape.at(-1)!;
    const shape = [...indices!.shape.slice(0, -1), ...params!.shape.slice(depth)];
    return [
      graph.node('GatherND', [params!, cast(graph, indices!, 'int64')], { shape, dtype: params!.dtype }),
    ];
  },
};
