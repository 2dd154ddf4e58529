import {
  type Engine,
  type NDArray,
  type ToHost,
  type tf,
  treeLeaves,
  treeMap,
} from '@palimpsest/tensor-core';

interface Held {
  toHost(): Promise<NDArray>;
  dispose(): void;
}

/** Compiles a function, calls it once and gives its result on the host; nothing stays on the engine. */
export async function runOnce<Args extends readonly unknown[], Out>(
  engine: Engine,
  fn: (...args: Args) => Out,
  ...args: { [K in keyof Args]: ToHost<Args[K]> }
): Promise<ToHost<Out>> {
  const compiled = engine.compile(fn, { name: 'rsm parity' });
  const tree: unknown = await compiled(...(args as never));
  const host = new Map<string, NDArray>();
  for (const { path, leaf } of treeLeaves<Held>(tree)) {
    host.set(path, await leaf.toHost());
    leaf.dispose();
  }
  await compiled.dispose();
  return treeMap<tf.Tensor, NDArray>(tree, (_leaf, path) => host.get(path)!) as ToHost<Out>;
}
