import { InputError, isNDArray, type NDArray, ndarray, treeMap, treeToRecord } from '@palimpsest/tensor-core';

/** Arrays under the reference's dotted names. */
export type StateDict = Readonly<Record<string, NDArray>>;

/** Names under which the reference stores the same array again, longest first. */
const ALIASES: readonly (readonly [prefix: string, canonical: string])[] = [
  ['trans.conn.metric.', 'metric.'],
  ['trans.conn.', 'conn.'],
  ['conn.metric.', 'metric.'],
];

/** Index tables that the reference saves with its weights. */
const BUFFERS = /(^|\.)metric\._[rc]$/;

function canonicalName(name: string): string {
  for (const [alias, canonical] of ALIASES) {
    if (name.startsWith(alias)) return canonical + name.slice(alias.length);
  }
  return name;
}

/**
 * Keeps one copy of every array, under its first-seen name (`metric.*`, `conn.*`, `_axis_raw`).
 * @param prefix what stands before the bundle's own names, as `bundle_time.`; other names are left out.
 * @throws InputError when two names of one array disagree.
 */
export function canonicalStateDict(dict: StateDict, prefix = ''): Record<string, NDArray> {
  const result: Record<string, NDArray> = {};
  for (const [full, array] of Object.entries(dict)) {
    if (!full.startsWith(prefix) || BUFFERS.test(full)) continue;
    const name = canonicalName(full.slice(prefix.length));
    const known = result[name];
    if (!known) {
      result[name] = array;
    } else if (known.shape.join() !== array.shape.join() || known.data.some((v, i) => v !== array.data[i])) {
      throw new InputError(
        `The weights '${full}' and '${prefix}${name}' are two names of one array but differ; the file is inconsistent.`,
      );
    }
  }
  return result;
}

/**
 * A parameter tree of the same structure as `template` with the arrays of a state dict.
 * @throws InputError naming an array that is missing or has the wrong shape.
 */
export function fillFromStateDict<T>(template: T, dict: StateDict, where: string): T {
  return treeMap<NDArray, NDArray>(template, (leaf, path) => {
    const array = dict[path];
    if (!array) throw new InputError(`${where}: the weights have no '${path}'.`);
    if (array.shape.join() !== leaf.shape.join()) {
      throw new InputError(
        `${where}: '${path}' has shape [${array.shape.join(', ')}], but [${leaf.shape.join(', ')}] is expected.`,
      );
    }
    return ndarray(Float32Array.from(array.data), array.shape);
  }) as T;
}

/** The parameter tree as dotted names; every array must be on the host. */
export function toStateDict(tree: unknown): Record<string, NDArray> {
  const record = treeToRecord<NDArray>(tree);
  for (const [name, array] of Object.entries(record)) {
    if (!isNDArray(array)) throw new InputError(`The parameter '${name}' is not on the host; read it first.`);
  }
  return record;
}
