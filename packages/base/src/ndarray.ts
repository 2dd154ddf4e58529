import { InputError } from './errors.js';
import { requireMemory } from './memory.js';

/** Element types that engines compute with. `bool` is stored as 0 and 1. */
export type DType = 'float32' | 'int32' | 'bool';
export type TypedArray = Float32Array | Int32Array | Uint8Array;
export type DataOf<D extends DType> = D extends 'float32'
  ? Float32Array
  : D extends 'int32'
    ? Int32Array
    : Uint8Array;

const constructors = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;

/** An array on the host: row-major data with its shape. */
export interface NDArray<D extends DType = DType> {
  readonly data: DataOf<D>;
  readonly shape: readonly number[];
  readonly dtype: D;
}

/** Number of elements of a shape; 1 for a scalar. */
export function sizeOf(shape: readonly number[]): number {
  let size = 1;
  for (const extent of shape) size *= extent;
  return size;
}

/** Bytes of an array. */
export function bytesOf(shape: readonly number[], dtype: DType): number {
  return sizeOf(shape) * constructors[dtype].BYTES_PER_ELEMENT;
}

/** A shape for messages, as in `[2, 3]`. */
export function formatShape(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}

/** Arrays below this many elements are made without a look at the machine's memory. */
const SMALL = 1e8;

/** A new typed array of `size` zeros for a dtype. @throws InputError when the machine's memory cannot hold it. */
export function allocate<D extends DType>(dtype: D, size: number): DataOf<D> {
  if (size > SMALL) {
    requireMemory(size * constructors[dtype].BYTES_PER_ELEMENT, `An array of ${size} ${dtype} numbers`);
  }
  return new constructors[dtype](size) as DataOf<D>;
}

/**
 * Makes a host array. Plain number lists are copied, typed arrays of the right kind are kept.
 * @throws InputError when the number of values does not match the shape.
 */
export function ndarray<D extends DType = 'float32'>(
  values: ArrayLike<number> | number,
  shape?: readonly number[],
  dtype: D = 'float32' as D,
): NDArray<D> {
  const list = typeof values === 'number' ? [values] : values;
  const target = shape ?? (typeof values === 'number' ? [] : [list.length]);
  if (sizeOf(target) !== list.length) {
    throw new InputError(
      `An array of shape ${formatShape(target)} needs ${sizeOf(target)} values, but ${list.length} were given.`,
    );
  }
  const Typed = constructors[dtype];
  const data = (list instanceof Typed ? list : Typed.from(list)) as DataOf<D>;
  return { data, shape: [...target], dtype };
}

/** A host array of zeros. */
export function zeros<D extends DType = 'float32'>(
  shape: readonly number[],
  dtype: D = 'float32' as D,
): NDArray<D> {
  return { data: allocate(dtype, sizeOf(shape)), shape: [...shape], dtype };
}

/** A host array with every element equal to `value`. */
export function full<D extends DType = 'float32'>(
  shape: readonly number[],
  value: number,
  dtype: D = 'float32' as D,
): NDArray<D> {
  const array = zeros(shape, dtype);
  array.data.fill(value);
  return array;
}

/** Says whether a value has the form of a host array. */
export function isNDArray(value: unknown): value is NDArray {
  return (
    typeof value === 'object' &&
    value !== null &&
    'data' in value &&
    ArrayBuffer.isView((value as NDArray).data) &&
    'shape' in value &&
    'dtype' in value
  );
}

/** Which heads of several arrays side by side are those of one of them. */
export interface HeadsWithin {
  /** Heads of the arrays before it. */
  readonly before: number;
  /** Heads of all of them. */
  readonly all: number;
}

/**
 * Overwrites rows of axis 2 in place.
 * @param target row-major data of `shape`, `[batch, heads, slots, ...]`
 * @param rows `[batch, heads, count, ...]`
 * @param slots `[batch, heads, count]`
 * @param within which heads of `rows` are meant, where it has those of other arrays too
 */
export function overwriteRows(
  target: TypedArray,
  shape: readonly number[],
  rows: TypedArray,
  slots: ArrayLike<number>,
  within?: HeadsWithin,
): void {
  const [batch, heads, extent] = shape as [number, number, number];
  const { before, all } = within ?? { before: 0, all: heads };
  const width = sizeOf(shape.slice(3));
  const count = slots.length / (batch * heads);
  for (let index = 0; index < slots.length; index++) {
    const list = Math.floor(index / count);
    const from = (Math.floor(list / heads) * all + before + (list % heads)) * count + (index % count);
    const to = (list * extent + slots[index]!) * width;
    // A view of every row would cost more than its numbers.
    for (let i = 0; i < width; i++) target[to + i] = rows[from * width + i]!;
  }
}
