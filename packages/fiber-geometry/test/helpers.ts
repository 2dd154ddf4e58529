import type { DeviceArray } from '@palimpsest/tensor-core';
import {
  createEngine,
  type Engine,
  type EngineName,
  type NDArray,
  Rng,
  type tf,
  treeLeaves,
} from '@palimpsest/tensor-core';
import { type ConnectionKind, FiberConnection, RiemannianMetric } from '../src/index.js';

/** Engines that every tensor property is checked on. */
export const engineNames: EngineName[] = ['cpu', 'onnx'];

const engines = new Map<EngineName, Promise<Engine>>();
export function engineFor(name: EngineName): Promise<Engine> {
  const known = engines.get(name) ?? createEngine(name, { threads: 1 });
  engines.set(name, known);
  return known;
}

/** A host array where a compiled function wants a tensor. */
export const input = (array: NDArray<'float32'>): tf.Tensor => array as unknown as tf.Tensor;

/** Runs a function of tensors on an engine and reads its outputs by path. */
export async function evaluate<Args extends readonly unknown[]>(
  name: EngineName,
  fn: (...args: Args) => unknown,
  ...args: Args
): Promise<Record<string, number[]>> {
  const engine = await engineFor(name);
  const compiled = engine.compile(fn as (...args: readonly unknown[]) => unknown);
  const result = await compiled(...(args as unknown as never[]));
  const read: Record<string, number[]> = {};
  for (const { path, leaf } of treeLeaves<DeviceArray>(result)) {
    read[path] = Array.from(await leaf.data());
    leaf.dispose();
  }
  await compiled.dispose();
  return read;
}

/** A connection with random weights; `gain` scales the last layer, hence ‖A‖. */
export function randomConnection(
  kind: ConnectionKind,
  d: number,
  f: number,
  gain = 1,
  seed = 1,
): FiberConnection {
  const rng = Rng.fromSeed(seed);
  const metric = new RiemannianMetric(d, { rng });
  const fresh = new FiberConnection(d, f, metric, { kind, rng });
  const scaled = (array: NDArray) => ({ ...array, data: array.data.map((value) => value * gain) }) as NDArray;
  const last = fresh.parameters.net[4];
  const net = {
    ...fresh.parameters.net,
    4: { weight: scaled(last.weight as NDArray), bias: scaled(last.bias as NDArray) },
  };
  return new FiberConnection(d, f, metric, { kind, parameters: { ...fresh.parameters, net } });
}

/** Unit vectors, `[n, d]`. */
export function unitRows(rng: Rng, n: number, d: number): NDArray<'float32'> {
  const rows = rng.normalArray([n, d]);
  for (let row = 0; row < n; row++) {
    const part = rows.data.subarray(row * d, (row + 1) * d);
    const norm = Math.hypot(...part);
    part.forEach((value, i) => {
      part[i] = value / norm;
    });
  }
  return rows;
}

export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let largest = a.length === b.length ? 0 : Number.POSITIVE_INFINITY;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i]! - b[i]!));
  return largest;
}
