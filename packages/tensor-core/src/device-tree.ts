import { type MapLeaves, type NDArray, treeLeaves, treeMap } from '@palimpsest/base';
import { DeviceArray } from './device-array.js';
import type { Engine, ToHost, ToInput } from './engine.js';

/** Says whether a tree holds arrays of an engine, and not host arrays. */
export function isOnDevice(tree: unknown): boolean {
  return treeLeaves<unknown>(tree)[0]?.leaf instanceof DeviceArray;
}

/** Gives every device array of a tree back to its engine; host arrays are left alone. */
export function disposeTree(tree: unknown): void {
  for (const { leaf } of treeLeaves<unknown>(tree)) if (leaf instanceof DeviceArray) leaf.dispose();
}

/** Copies a tree of device arrays to the host; arrays that are there already stay as they are. */
export async function toHost<T>(tree: T): Promise<MapLeaves<T, DeviceArray, NDArray>> {
  const host = new Map<string, NDArray>();
  for (const { path, leaf } of treeLeaves<DeviceArray | NDArray>(tree)) {
    host.set(path, leaf instanceof DeviceArray ? await leaf.toHost() : leaf);
  }
  return treeMap<DeviceArray, NDArray, T>(tree, (_leaf, path) => host.get(path)!);
}

/** Copies a tree to the host and gives the device arrays back. */
export async function takeToHost<T>(tree: T): Promise<MapLeaves<T, DeviceArray, NDArray>> {
  try {
    return await toHost(tree);
  } finally {
    disposeTree(tree);
  }
}

/** Compiles a function, calls it once and gives its result on the host; nothing stays on the engine. */
export async function runOnce<Args extends readonly unknown[], Out>(
  engine: Engine,
  fn: (...args: Args) => Out,
  ...args: { [K in keyof Args]: ToInput<Args[K]> }
): Promise<ToHost<Out>> {
  const compiled = engine.compile(fn, { name: fn.name || 'function' });
  try {
    return (await takeToHost<unknown>(await compiled(...args))) as ToHost<Out>;
  } finally {
    await compiled.dispose();
  }
}
