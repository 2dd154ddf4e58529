import {
  type DType,
  formatShape,
  InputError,
  isNDArray,
  type NDArray,
  ndarray,
  treeLeaves,
} from '@palimpsest/base';
import { DeviceArray } from '../device-array.js';
import type { InputLeaf } from '../engine.js';

/** One leaf given to a compiled function, with where it stands in the argument list. */
export interface BoundLeaf {
  readonly argument: number;
  readonly path: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly value: NDArray | DeviceArray;
}

const DTYPES = new Set<string>(['float32', 'int32', 'bool']);

/**
 * Lists and checks the leaves of all arguments.
 * @throws InputError naming the function, the argument and the path of a leaf that is no array or is disposed.
 */
export function bindArguments(functionName: string, args: readonly unknown[], engineId: number): BoundLeaf[] {
  return args.flatMap((argument, index) => bindArgument(functionName, argument, index, engineId));
}

/** The leaves of one argument; see `bindArguments`. */
export function bindArgument(
  functionName: string,
  argument: unknown,
  index: number,
  engineId: number,
): BoundLeaf[] {
  return treeLeaves<InputLeaf>(argument).map(({ path, leaf }) => {
    const where = () => `argument ${index}${path === '' ? '' : ` at '${path}'`} of '${functionName}'`;
    const value = typeof leaf === 'number' ? ndarray(leaf) : leaf;
    if (value instanceof DeviceArray) checkDeviceArray(value, where, engineId);
    else checkHostArray(value, where);
    return { argument: index, path, shape: value.shape, dtype: value.dtype, value };
  });
}

function checkDeviceArray(value: DeviceArray, where: () => string, engineId: number): void {
  if (value.isDisposed) {
    throw new InputError(
      `The array of shape ${formatShape(value.shape)} given as ${where()} was disposed or donated to an earlier call; pass the result of that call instead.`,
    );
  }
  if (value.engineId !== engineId) {
    throw new InputError(
      `The array given as ${where()} belongs to another engine; copy it with toHost() and put() first.`,
    );
  }
}

function checkHostArray(value: unknown, where: () => string): asserts value is NDArray {
  if (!isNDArray(value)) {
    throw new InputError(`Expected an array or a number as ${where()}, but got ${describe(value)}.`);
  }
  if (!DTYPES.has(value.dtype)) {
    throw new InputError(`Expected dtype float32, int32 or bool as ${where()}, but got '${value.dtype}'.`);
  }
  const size = value.shape.reduce((product, extent) => product * extent, 1);
  if (value.data.length !== size) {
    throw new InputError(
      `The array given as ${where()} has shape ${formatShape(value.shape)}, which needs ${size} values, but holds ${value.data.length}.`,
    );
  }
}

function describe(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'object')
    return `an object with keys ${Object.keys(value).slice(0, 4).join(', ') || '(none)'}`;
  return `${typeof value} ${String(value)}`;
}

/**
 * Key under which a traced graph is cached: structure, shapes and dtypes of all inputs.
 * @param freeAxis an axis whose extent makes no difference
 */
export function signatureOf(leaves: readonly BoundLeaf[], freeAxis?: number): string {
  return leaves
    .map(({ argument, path, shape, dtype }) => {
      const extents = shape.map((extent, axis) => (axis === freeAxis ? '*' : extent));
      return `${argument}:${path}:${dtype}[${extents.join()}]`;
    })
    .join(';');
}

/** Names the first output that holds NaN or infinity. */
export function checkFinite(
  functionName: string,
  outputs: readonly { path: string; data: ArrayLike<number> }[],
): void {
  for (const { path, data } of outputs) {
    for (let i = 0; i < data.length; i++) {
      if (Number.isFinite(data[i])) continue;
      throw new InputError(
        `Output '${path || '(result)'}' of '${functionName}' holds ${data[i]} at element ${i}; look for a division by zero, a log of zero or a learning rate that is too high.`,
      );
    }
  }
}
