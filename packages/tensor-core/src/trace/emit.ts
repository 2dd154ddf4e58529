import { sizeOf } from '@palimpsest/base';
import type { GraphBuilder, Value, ValueDType } from './graph.js';

/** The shape to which two shapes broadcast, by the rules of NumPy and ONNX. */
export function broadcastShape(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const x = a[a.length - rank + axis] ?? 1;
    const y = b[b.length - rank + axis] ?? 1;
    return x === 1 ? y : x;
  });
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((extent, axis) => extent === b[axis]);
}

/** A fill as the scalar that broadcasts to it; other values as they are. */
function asBroadcast(graph: GraphBuilder, value: Value): Value {
  return value.fill === undefined ? value : graph.scalar(value.fill, value.dtype);
}

/** The value before an Expand, when the node that reads it would broadcast anyway. */
function beforeExpand(value: Value): Value {
  return value.producer?.op === 'Expand' ? value.producer.inputs[0]! : value;
}

/** An elementwise node of two inputs, which drops needless expansions of its inputs. */
export function binary(
  graph: GraphBuilder,
  op: string,
  a: Value,
  b: Value,
  dtype: ValueDType = a.dtype,
  attributes: Parameters<GraphBuilder['node']>[3] = {},
): Value {
  const shape = broadcastShape(a.shape, b.shape);
  const known = foldBinary(graph, op, a, b, shape, dtype);
  if (known) return known;
  let [x, y] = [asBroadcast(graph, a), asBroadcast(graph, b)];
  const [lazyX, lazyY] = [beforeExpand(x), beforeExpand(y)];
  if (sameShape(broadcastShape(lazyX.shape, y.shape), shape)) x = lazyX;
  if (sameShape(broadcastShape(x.shape, lazyY.shape), shape)) y = lazyY;
  const innerShape = broadcastShape(x.shape, y.shape);
  return expand(graph, graph.node(op, [x, y], { shape: innerShape, dtype }, attributes), shape);
}

const folds: Record<string, (x: number, y: number) => number> = {
  Add: (x, y) => x + y,
  Sub: (x, y) => x - y,
  Mul: (x, y) => x * y,
  Div: (x, y) => x / y,
  Max: Math.max,
  Min: Math.min,
};

/** Results that need no node: two fills, or a neutral element. */
function foldBinary(
  graph: GraphBuilder,
  op: string,
  a: Value,
  b: Value,
  shape: readonly number[],
  dtype: ValueDType,
): Value | undefined {
  const fold = folds[op];
  if (!fold || dtype !== a.dtype) return undefined;
  if (a.fill !== undefined && b.fill !== undefined) {
    const result = fold(a.fill, b.fill);
    return graph.fill(dtype === 'int32' ? Math.trunc(result) : Math.fround(result), shape, dtype);
  }
  if (op === 'Mul' && dtype === 'float32' && (a.fill === 0 || b.fill === 0))
    return graph.fill(0, shape, dtype);
  const neutralRight = op === 'Mul' || op === 'Div' ? 1 : op === 'Add' || op === 'Sub' ? 0 : undefined;
  if (b.fill !== undefined && b.fill === neutralRight) return expand(graph, a, shape);
  const neutralLeft = op === 'Mul' ? 1 : op === 'Add' ? 0 : undefined;
  if (a.fill !== undefined && a.fill === neutralLeft) return expand(graph, b, shape);
  return undefined;
}

/** An elementwise node of one input. */
export function unary(
  graph: GraphBuilder,
  op: string,
  x: Value,
  dtype: ValueDType = x.dtype,
  attributes: Parameters<GraphBuilder['node']>[3] = {},
): Value {
  if (x.fill !== undefined) {
    return expand(
      graph,
      graph.node(op, [graph.scalar(x.fill, x.dtype)], { shape: [], dtype }, attributes),
      x.shape,
    );
  }
  const source = beforeExpand(x);
  return expand(graph, graph.node(op, [source], { shape: source.shape, dtype }, attributes), x.shape);
}

/** Broadcasts a value to a larger shape. */
export function expand(graph: GraphBuilder, x: Value, shape: readonly number[]): Value {
  if (sameShape(x.shape, shape)) return x;
  if (x.fill !== undefined) return graph.fill(x.fill, shape, x.dtype);
  return graph.node('Expand', [x, graph.int64(shape)], { shape, dtype: x.dtype });
}

/** The same elements in another shape; chains of reshapes collapse into one. */
export function reshape(graph: GraphBuilder, x: Value, shape: readonly number[]): Value {
  if (sameShape(x.shape, shape)) return x;
  if (x.fill !== undefined) return graph.fill(x.fill, shape, x.dtype);
  const source = x.producer?.op === 'Reshape' ? x.producer.inputs[0]! : x;
  if (sameShape(source.shape, shape)) return source;
  return graph.node('Reshape', [source, graph.int64(shape)], { shape, dtype: x.dtype });
}

/** Permutes the axes; transposes of transposes collapse. */
export function transpose(graph: GraphBuilder, x: Value, permutation: readonly number[]): Value {
  const shape = permutation.map((axis) => x.shape[axis]!);
  if (x.fill !== undefined) return graph.fill(x.fill, shape, x.dtype);
  if (permutation.every((axis, index) => axis === index)) return x;
  if (x.producer?.op === 'Transpose') {
    const inner = x.producer.attributes.perm as number[];
    return transpose(
      graph,
      x.producer.inputs[0]!,
      permutation.map((axis) => inner[axis]!),
    );
  }
  return graph.node('Transpose', [x], { shape, dtype: x.dtype }, { perm: [...permutation] });
}

/** ONNX Where, with the result broadcast to `shape`. The runtime has none for booleans. */
export function where(
  graph: GraphBuilder,
  condition: Value,
  yes: Value,
  no: Value,
  shape: readonly number[],
): Value {
  if (condition.fill !== undefined) return expand(graph, condition.fill !== 0 ? yes : no, shape);
  if (yes.dtype === 'bool') {
    const first = binary(graph, 'And', condition, yes, 'bool');
    const second = binary(graph, 'And', unary(graph, 'Not', condition), no, 'bool');
    return expand(graph, binary(graph, 'Or', first, second, 'bool'), shape);
  }
  const inputs = [condition, asBroadcast(graph, yes), asBroadcast(graph, no)];
  const inner = inputs.reduce<number[]>((known, value) => broadcastShape(known, value.shape), []);
  return expand(graph, graph.node('Where', inputs, { shape: inner, dtype: yes.dtype }), shape);
}

/**
 * Converts the element type as TensorFlow.js does: float to int truncates, and what no int can be, such as NaN, becomes
 * 0; anything to bool asks for non-zero.
 */
export function cast(graph: GraphBuilder, x: Value, dtype: ValueDType): Value {
  if (x.dtype === dtype) return x;
  if (x.fill !== undefined && dtype !== 'int64' && dtype !== 'float64') {
    const value =
      dtype === 'bool' ? Number(x.fill !== 0) : dtype === 'int32' ? Math.trunc(x.fill) | 0 : x.fill;
    return graph.fill(value, x.shape, dtype);
  }
  if (dtype === 'int32' && (x.dtype === 'float32' || x.dtype === 'float64')) {
    // Every runtime makes something else of what is no 32-bit number.
    const limit = floatConstant(graph, 2 ** 31, x.dtype);
    const fits = binary(graph, 'LessOrEqual', unary(graph, 'Abs', x), limit, 'bool');
    const number = where(graph, fits, x, floatConstant(graph, 0, x.dtype), x.shape);
    return unary(graph, 'Cast', number, dtype, { to: ONNX_TYPE.int32 });
  }
  return unary(graph, 'Cast', x, dtype, { to: ONNX_TYPE[dtype] });
}

/** A number of a float type; those of float64 are cast, since constants are tensors of the engine. */
export function floatConstant(graph: GraphBuilder, value: number, dtype: ValueDType): Value {
  return cast(graph, graph.scalar(value), dtype);
}

/** Element type numbers of ONNX's TensorProto. */
export const ONNX_TYPE: Record<ValueDType, number> = {
  float32: 1,
  uint8: 2,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
};

/** A part of a value along every axis. */
export function slice(
  graph: GraphBuilder,
  x: Value,
  begin: readonly number[],
  size: readonly number[],
): Value {
  if (sameShape(x.shape, size)) return x;
  if (x.fill !== undefined) return graph.fill(x.fill, size, x.dtype);
  const axes = size.flatMap((extent, axis) => (extent === x.shape[axis] ? [] : [axis]));
  const starts = axes.map((axis) => begin[axis]!);
  const ends = axes.map((axis) => begin[axis]! + size[axis]!);
  return graph.node('Slice', [x, graph.int64(starts), graph.int64(ends), graph.int64(axes)], {
    shape: size,
    dtype: x.dtype,
  });
}

/** Adds zeros behind the last elements of an axis. */
export function padEnd(graph: GraphBuilder, x: Value, axis: number, count: number): Value {
  if (count === 0) return x;
  const shape = x.shape.map((extent, index) => (index === axis ? extent + count : extent));
  const after = x.shape.map((_, index) => (index === axis ? count : 0));
  const amounts = graph.int64([...after.map(() => 0), ...after]);
  return graph.node('Pad', [x, amounts, graph.scalar(0, x.dtype)], { shape, dtype: x.dtype });
}

/** Which rows, counted through, indices `[..., axes]` of leading axes name. @param extents of these axes */
export function rowNumbers(graph: GraphBuilder, indices: Value, extents: readonly number[]): Value {
  const strides = extents.map((_, axis) => sizeOf(extents.slice(axis + 1)));
  const shares = binary(graph, 'Mul', cast(graph, indices, graph.indexType), graph.indices(strides));
  const shape = indices.shape.slice(0, -1);
  return graph.node(
    'ReduceSum',
    [shares, graph.int64([shape.length])],
    { shape, dtype: shares.dtype },
    { keepdims: 0 },
  );
}

/** Joins values along an axis. */
export function concat(graph: GraphBuilder, values: readonly Value[], axis: number): Value {
  const parts = values.filter((value) => sizeOf(value.shape) > 0);
  if (parts.length === 1) return parts[0]!;
  const first = (parts[0] ?? values[0])!;
  const shape = [...first.shape];
  shape[axis] = values.reduce((total, value) => total + value.shape[axis]!, 0);
  if (
    parts.length > 0 &&
    parts.every((value) => value.fill !== undefined && Object.is(value.fill, first.fill))
  ) {
    return graph.fill(first.fill!, shape, first.dtype);
  }
  return graph.node('Concat', parts, { shape, dtype: first.dtype }, { axis });
}
