import { type DType, type NDArray, ndarray, sizeOf, type tf } from '../../src/index.js';

/** One result, from float64 arithmetic that shares no code with the engines. */
export interface Expected {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly values: readonly number[];
}

/** A TensorFlow.js op over one set of inputs, and what it means. */
export interface KernelCase {
  /** The kernel of the table that the op runs. */
  readonly kernel: string;
  readonly name: string;
  readonly inputs: readonly NDArray[];
  readonly run: (inputs: readonly tf.Tensor[]) => tf.Tensor | tf.Tensor[];
  readonly expected: readonly Expected[];
}

export const float = (values: readonly number[], shape: readonly number[] = [values.length]) =>
  ndarray(values, shape);
export const int = (values: readonly number[], shape: readonly number[] = [values.length]) =>
  ndarray(values, shape, 'int32');
export const bool = (values: readonly number[], shape: readonly number[] = [values.length]) =>
  ndarray(values, shape, 'bool');

/** Values of each dtype, different for every seed: floats of all sizes, integers with signs and ties. */
export function sample(dtype: DType, shape: readonly number[], seed = 1): NDArray {
  const values = Array.from({ length: sizeOf(shape) }, (_, index) => {
    const fraction = ((index + 1) * 0.6180339887 + seed * 0.7548776662) % 1;
    if (dtype === 'bool') return fraction < 0.5 ? 1 : 0;
    return dtype === 'int32' ? Math.floor(fraction * 11) - 5 : fraction * 5 - 2.3;
  });
  return ndarray(values, shape, dtype) as NDArray;
}

/** Places of an array in row-major order. */
export function places(shape: readonly number[]): number[][] {
  return Array.from({ length: sizeOf(shape) }, (_, flat) => {
    const place: number[] = [];
    let rest = flat;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      place[axis] = rest % shape[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    return place;
  });
}

/** The number at a place; axes of length 1 and missing leading axes broadcast. */
export function at(array: NDArray, place: readonly number[]): number {
  const skipped = place.length - array.shape.length;
  const flat = array.shape.reduce(
    (sum, extent, axis) => sum * extent + (extent === 1 ? 0 : place[axis + skipped]!),
    0,
  );
  return Number(array.data[flat]!);
}

/** A result told by what stands at each place. */
export function told(
  dtype: DType,
  shape: readonly number[],
  value: (place: readonly number[]) => number,
): Expected {
  return { dtype, shape, values: places(shape).map(value) };
}

/** The shape to which shapes broadcast. */
export function broadcast(...shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    const extents = shapes.map((shape) => shape[axis - rank + shape.length] ?? 1);
    return extents.find((extent) => extent !== 1) ?? 1;
  });
}

/** Values along an axis, by the place of the other axes. */
export function lineOf(array: NDArray, axis: number, others: readonly number[]): number[] {
  return Array.from({ length: array.shape[axis]! }, (_, step) =>
    at(array, [...others.slice(0, axis), step, ...others.slice(axis)]),
  );
}
