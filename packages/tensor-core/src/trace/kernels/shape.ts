import { sizeOf } from '@palimpsest/base';
import type { TraceKernel } from '../../op.js';
import { tf } from '../../tf.js';
import { binary, cast, concat, expand, reshape, slice, transpose, where } from '../emit.js';
import type { GraphBuilder, Value } from '../graph.js';

const normal = (axis: unknown, rank: number) => {
  const number = Number(axis ?? 0);
  return number < 0 ? number + rank : number;
};

const tile: TraceKernel = (graph, { x }, { reps }) => {
  const repeats = reps as number[];
  const shape = x!.shape.map((extent, axis) => extent * repeats[axis]!);
  const broadcasts = x!.shape.every((extent, axis) => extent === 1 || repeats[axis] === 1);
  if (broadcasts || x!.fill !== undefined) return [expand(graph, x!, shape)];
  return [graph.node('Tile', [x!, graph.int64(repeats)], { shape, dtype: x!.dtype })];
};

const pad: TraceKernel = (graph, { x }, { paddings, constantValue }) => {
  const pairs = paddings as [number, number][];
  if (pairs.every(([before, after]) => before === 0 && after === 0)) return [x!];
  const shape = x!.shape.map((extent, axis) => extent + pairs[axis]![0] + pairs[axis]![1]);
  const amounts = graph.int64([...pairs.map(([before]) => before), ...pairs.map(([, after]) => after)]);
  return [
    graph.node('Pad', [x!, amounts, graph.scalar(Number(constantValue), x!.dtype)], {
      shape,
      dtype: x!.dtype,
    }),
  ];
};

const mirrorPad: TraceKernel = (graph, { x }, { paddings, mode }) => {
  const pairs = paddings as [number, number][];
  const shape = x!.shape.map((extent, axis) => extent + pairs[axis]![0] + pairs[axis]![1]);
  if (mode === 'reflect') {
    const amounts = graph.int64([...pairs.map(([before]) => before), ...pairs.map(([, after]) => after)]);
    return [graph.node('Pad', [x!, amounts], { shape, dtype: x!.dtype }, { mode: 'reflect' })];
  }
  // The runtime's Pad does not repeat the edge, so that the copies are picked one axis after the other.
  return [
    pairs.reduce((value, [before, after], axis) => {
      if (before === 0 && after === 0) return value;
      const extent = value.shape[axis]!;
      const sources = Array.from({ length: before + extent + after }, (_, place) => {
        const index = place - before;
        if (index < 0) return -index - 1;
        return index < extent ? index : 2 * extent - 1 - index;
      });
      const widened = value.shape.map((other, index) => (index === axis ? sources.length : other));
      return graph.node(
        'Gather',
        [value, graph.int64(sources)],
        { shape: widened, dtype: x!.dtype },
        { axis },
      );
    }, x!),
  ];
};

const gather: TraceKernel = (graph, { x, indices }, { axis, batchDims }) => {
  const at = normal(axis, x!.shape.length);
  const batch = Number(batchDims ?? 0);
  const shape = [...x!.shape.slice(0, at), ...indices!.shape.slice(batch), ...x!.shape.slice(at + 1)];
  if (x!.fill !== undefined) return [graph.fill(x!.fill, shape, x!.dtype)];
  if (batch === 0) return [graph.node('Gather', [x!, indices!], { shape, dtype: x!.dtype }, { axis: at })];
  if (batch !== at) throw new Error('gather can be traced with batchDims = 0 or batchDims = axis only');
  if (graph.bits === 32) return [reshape(graph, gatherRows(graph, x!, indices!, batch), shape)];
  const positions = cast(graph, reshape(graph, indices!, [...indices!.shape, 1]), 'int64');
  return [graph.node('GatherND', [x!, positions], { shape, dtype: x!.dtype }, { batch_dims: batch })];
};

/** One list of indices per list of rows, as one list of indices into all rows. */
function gatherRows(graph: GraphBuilder, x: Value, indices: Value, batch: number): Value {
  const lists = sizeOf(x.shape.slice(0, batch));
  const [extent, ...rest] = x.shape.slice(batch) as [number, ...number[]];
  const each = sizeOf(indices.shape.slice(batch));
  const starts = graph.indices(Array.from({ length: lists }, (_, list) => list * extent));
  const places = binary(
    graph,
    'Add',
    reshape(graph, indices, [lists, each]),
    reshape(graph, starts, [lists, 1]),
  );
  const rows = reshape(graph, x, [lists * extent, ...rest]);
  return graph.node('Gather', [rows, places], { shape: [lists, each, ...rest], dtype: x.dtype }, { axis: 0 });
}

const oneHot: TraceKernel = (graph, { indices }, { depth, onValue, offValue, dtype }) => {
  const type = (dtype ?? 'float32') as Value['dtype'];
  const shape = [...indices!.shape, Number(depth)];
  const values = concat(
    graph,
    [graph.fill(Number(offValue), [1], 'float32'), graph.fill(Number(onValue), [1], 'float32')],
    0,
  );
  if (graph.bits === 32) {
    const every = graph.indices(Array.from({ length: Number(depth) }, (_, index) => index));
    const isHere = binary(graph, 'Equal', reshape(graph, indices!, [...indices!.shape, 1]), every, 'bool');
    const [on, off] = [onValue, offValue].map((value) => graph.scalar(Number(value)));
    return [cast(graph, where(graph, isHere, on!, off!, shape), type)];
  }
  // ONNX counts negative indices from the end; here they are nowhere, as every index beyond the depth.
  const given = cast(graph, indices!, 'int64');
  const isNegative = binary(graph, 'Less', given, graph.int64([0]), 'bool');
  const places = where(graph, isNegative, graph.int64([Number(depth)]), given, given.shape);
  const hot = graph.node(
    'OneHot',
    [places, graph.int64([Number(depth)]), values],
    {
      shape,
      dtype: 'float32',
    },
    { axis: -1 },
  );
  return [cast(graph, hot, type)];
};

const pack: TraceKernel = (graph, inputs, { axis }) => {
  const values = Object.values(inputs);
  const at = normal(axis, values[0]!.shape.length + 1);
  const raised = values.map((value) =>
    reshape(graph, value, [...value.shape.slice(0, at), 1, ...value.shape.slice(at)]),
  );
  return [concat(graph, raised, at)];
};

/** Cuts a value into parts along an axis. */
function split(graph: GraphBuilder, x: Value, axis: number, sizes: readonly number[]): Value[] {
  let start = 0;
  return sizes.map((extent) => {
    const begin = x.shape.map((_, index) => (index === axis ? start : 0));
    start += extent;
    return slice(
      graph,
      x,
      begin,
      x.shape.map((full, index) => (index === axis ? extent : full)),
    );
  });
}

const unpack: TraceKernel = (graph, { value }, { axis }) => {
  const at = normal(axis, value!.shape.length);
  const shape = value!.shape.filter((_, index) => index !== at);
  const parts = split(graph, value!, at, new Array<number>(value!.shape[at]!).fill(1));
  return parts.map((part) => reshape(graph, part, shape));
};

const stridedSlice: TraceKernel = (graph, { x }, attributes) => {
  const a = attributes as Record<'begin' | 'end' | 'strides', number[]> & Record<string, number>;
  const info = tf.slice_util.sliceInfo(
    [...x!.shape],
    a.begin,
    a.end,
    a.strides,
    a.beginMask!,
    a.endMask!,
    a.ellipsisMask!,
    a.newAxisMask!,
    a.shrinkAxisMask!,
  );
  const axes = info.begin.map((_: number, axis: number) => axis);
  // A negative stride ends before element 0, which ONNX writes as a very negative end.
  const ends = info.end.map((end: number, axis: number) =>
    info.strides[axis]! < 0 && end < 0 ? -(2 ** 31) : end,
  );
  const cut = info.isIdentity
    ? x!
    : graph.node(
        'Slice',
        [x!, graph.int64(info.begin), graph.int64(ends), graph.int64(axes), graph.int64(info.strides)],
        {
          shape: info.finalShapeSparse,
          dtype: x!.dtype,
        },
      );
  return [reshape(graph, cut, info.finalShape)];
};

const reverse: TraceKernel = (graph, { x }, { dims }) => {
  const given = (dims as number[] | undefined) ?? [...x!.shape.keys()];
  const axes = given.map((axis) => normal(axis, x!.shape.length));
  if (axes.length === 0 || x!.fill !== undefined) return [x!];
  const all = (value: number) => graph.int64(axes.map(() => value));
  return [graph.node('Slice', [x!, all(-1), all(-(2 ** 31)), graph.int64(axes), all(-1)], x!)];
};

/** Kernels that move elements and make constants. */
export const shapeKernels: Record<string, TraceKernel> = {
  Reshape: (graph, { x }, { shape }) => [reshape(graph, x!, inferredShape(x!, shape as number[]))],
  ExpandDims: (graph, { input }, { dim }) => {
    const at = Number(dim) < 0 ? Number(dim) + input!.shape.length + 1 : Number(dim);
    return [reshape(graph, input!, [...input!.shape.slice(0, at), 1, ...input!.shape.slice(at)])];
  },
  Transpose: (graph, { x }, { perm }) => [transpose(graph, x!, perm as number[])],
  Concat: (graph, inputs, { axis }) => {
    const values = Object.values(inputs);
    return [concat(graph, values, normal(axis, values[0]!.shape.length))];
  },
  Slice: (graph, { x }, { begin, size }) => {
    const [starts, sizes] = tf.slice_util.parseSliceParams(
      { shape: [...x!.shape] } as never,
      begin as number[],
      size as number[],
    );
    return [slice(graph, x!, starts!, sizes!)];
  },
  SplitV: (graph, { x }, { numOrSizeSplits, axis }) => {
    const at = normal(axis, x!.shape.length);
    const sizes = Array.isArray(numOrSizeSplits)
      ? completeSizes(numOrSizeSplits as number[], x!.shape[at]!)
      : new Array<number>(Number(numOrSizeSplits)).fill(x!.shape[at]! / Number(numOrSizeSplits));
    return split(graph, x!, at, sizes);
  },
  Tile: tile,
  PadV2: pad,
  MirrorPad: mirrorPad,
  GatherV2: gather,
  OneHot: oneHot,
  Pack: pack,
  Unpack: unpack,
  StridedSlice: stridedSlice,
  Reverse: reverse,
  BroadcastTo: (graph, { x }, { shape }) => [expand(graph, x!, shape as number[])],
  ZerosLike: (graph, { x }) => [graph.fill(0, x!.shape, x!.dtype)],
  OnesLike: (graph, { x }) => [graph.fill(1, x!.shape, x!.dtype)],
  Fill: (graph, _inputs, { shape, value, dtype }) => [
    graph.fill(Number(value), shape as number[], (dtype ?? 'float32') as Value['dtype']),
  ],
  Range: (graph, _inputs, { start, stop, step, dtype }) => {
    const [from, to, by] = [Number(start), Number(stop), Number(step ?? 1)];
    const values = Array.from(
      { length: Math.max(0, Math.ceil((to - from) / by)) },
      (_, index) => from + index * by,
    );
    const data = dtype === 'int32' ? Int32Array.from(values) : Float32Array.from(values);
    return [graph.constant(data, [values.length], (dtype ?? 'float32') as Value['dtype'])];
  },
};

function inferredShape(x: Value, shape: readonly number[]): number[] {
  const known = shape.reduce((product, extent) => (extent === -1 ? product : product * extent), 1);
  const size = x.shape.reduce((product, extent) => product * extent, 1);
  return shape.map((extent) => (extent === -1 ? size / known : extent));
}

function completeSizes(sizes: readonly number[], total: number): number[] {
  const known = sizes.reduce((sum, size) => (size === -1 ? sum : sum + size), 0);
  return sizes.map((size) => (size === -1 ? total - known : size));
}
