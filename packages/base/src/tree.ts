import { InputError } from './errors.js';

/** A nested plain object or array of leaves. Object keys are visited in insertion order. */
export type Tree<Leaf> = Leaf | { readonly [key: string]: Tree<Leaf> } | readonly Tree<Leaf>[];

/** The tree type `T` with every leaf of type `From` replaced by `To`. */
export type MapLeaves<T, From, To> = T extends From
  ? To
  : T extends readonly unknown[]
    ? { [K in keyof T]: MapLeaves<T[K], From, To> }
    : T extends object
      ? { [K in keyof T]: MapLeaves<T[K], From, To> }
      : T;

/** One leaf of a tree with the path that leads to it, as in `blocks.0.query.weight`. */
export interface LeafEntry<Leaf> {
  readonly path: string;
  readonly leaf: Leaf;
}

/** Says whether a value is a container (plain object or array) and not a leaf. */
export function isBranch(value: unknown): value is Record<string, unknown> | unknown[] {
  if (Array.isArray(value)) return true;
  if (typeof value !== 'object' || value === null) return false;
  if ('shape' in value && 'dtype' in value) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

const join = (path: string, key: string | number) => (path === '' ? String(key) : `${path}.${key}`);

/** Lists the leaves of a tree in a fixed order; `undefined` entries are not leaves and are left out. */
export function treeLeaves<Leaf>(tree: unknown, path = ''): LeafEntry<Leaf>[] {
  const entries: LeafEntry<Leaf>[] = [];
  const visit = (node: unknown, at: string): void => {
    if (node === undefined) return;
    if (!isBranch(node)) {
      entries.push({ path: at, leaf: node as Leaf });
      return;
    }
    for (const key of Object.keys(node)) visit((node as Record<string, unknown>)[key], join(at, key));
  };
  visit(tree, path);
  return entries;
}

/** Applies `change` to every leaf and keeps the structure. */
export function treeMap<From, To, T = unknown>(
  tree: T,
  change: (leaf: From, path: string) => To,
  path = '',
): MapLeaves<T, From, To> {
  const visit = (node: unknown, at: string): unknown => {
    if (node === undefined) return undefined;
    if (!isBranch(node)) return change(node as From, at);
    if (Array.isArray(node)) return node.map((child, index) => visit(child, join(at, index)));
    const result: Record<string, unknown> = {};
    for (const key of Object.keys(node)) result[key] = visit(node[key], join(at, key));
    return result;
  };
  return visit(tree, path) as MapLeaves<T, From, To>;
}

/**
 * Combines the leaves of trees of the same structure; the order of keys may differ.
 * @throws InputError naming the first path at which the structures differ.
 */
export function treeZip<Leaf, To>(
  trees: readonly unknown[],
  combine: (leaves: Leaf[], path: string) => To,
): unknown {
  const maps = trees.map((tree) => new Map(treeLeaves<Leaf>(tree).map(({ path, leaf }) => [path, leaf])));
  const first = maps[0] ?? new Map<string, Leaf>();
  maps.forEach((map, index) => {
    const [larger, smaller] = map.size > first.size ? [map, first] : [first, map];
    for (const path of larger.keys()) {
      if (smaller.has(path)) continue;
      throw new InputError(`Tree ${index} differs in structure from tree 0 at '${path}'.`);
    }
  });
  return treeMap(trees[0], (_leaf, path) =>
    combine(
      maps.map((map) => map.get(path)!),
      path,
    ),
  );
}

/** The tree as a map from path to leaf. */
export function treeToRecord<Leaf>(tree: unknown): Record<string, Leaf> {
  return Object.fromEntries(treeLeaves<Leaf>(tree).map(({ path, leaf }) => [path, leaf]));
}
