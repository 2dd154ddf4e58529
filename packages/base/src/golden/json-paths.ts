import type { GoldenJson } from './contract.js';

/** A leaf of JSON: a list of numbers is one leaf, so that it compares as an array. */
export type JsonLeaf = string | number | boolean | null | ArrayLike<number>;

const isNumbers = (value: unknown): value is ArrayLike<number> =>
  (ArrayBuffer.isView(value) && !(value instanceof DataView)) ||
  (Array.isArray(value) && value.every((entry) => typeof entry === 'number'));

/** The leaves of a value by path, members joined by `/`; an empty object is a leaf of the text `{}`. */
export function jsonLeaves(value: GoldenJson, path: string): Map<string, JsonLeaf> {
  const leaves = new Map<string, JsonLeaf>();
  const visit = (node: GoldenJson, at: string): void => {
    if (node === undefined) return;
    if (typeof node !== 'object' || node === null || isNumbers(node)) {
      leaves.set(at, node as JsonLeaf);
      return;
    }
    const members = Object.entries(node as Record<string, GoldenJson>);
    if (members.length === 0) leaves.set(at, '{}');
    for (const [key, member] of members) visit(member, `${at}/${key}`);
  };
  visit(value, path);
  return leaves;
}

/** Says whether a path lies at or below one of the patterns, in which `*` stands for any one key, or for any part of one. */
export function isBelow(path: string, patterns: readonly string[]): boolean {
  const keys = path.split('/');
  return patterns.some((pattern) => {
    const parts = pattern.split('/');
    return parts.length <= keys.length && parts.every((part, i) => isKey(part, keys[i]!));
  });
}

function isKey(pattern: string, key: string): boolean {
  if (!pattern.includes('*')) return pattern === key;
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(key);
}

/** A copy of JSON without the members that `hides` names; lists keep their length. */
export function withoutMembers(json: unknown, hides: (path: string) => boolean): Record<string, unknown> {
  const copy = (node: unknown, at: string): unknown => {
    if (typeof node !== 'object' || node === null) return node;
    if (Array.isArray(node)) return node.map((entry, i) => keep(entry, `${at}${i}`));
    const members = Object.entries(node).map(([key, entry]) => [key, keep(entry, `${at}${key}`)]);
    return Object.fromEntries(members.filter(([, entry]) => entry !== undefined));
  };
  const keep = (entry: unknown, path: string): unknown => {
    if (typeof entry !== 'object' || entry === null) return hides(path) ? undefined : entry;
    const kept = copy(entry, `${path}/`) as object;
    const isEmpty = Object.values(kept).every((member) => member === undefined);
    return hides(path) && isEmpty ? undefined : kept;
  };
  return copy(json, '') as Record<string, unknown>;
}
