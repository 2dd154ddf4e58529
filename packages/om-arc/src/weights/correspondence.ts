import {
  formatShape,
  InputError,
  type NDArray,
  sizeOf,
  treeLeaves,
  treeMap,
  zeros,
} from '@palimpsest/tensor-core';

/** A published tensor as numbers of one of our leaves. */
export interface Correspondence {
  /** Published name. */
  readonly key: string;
  readonly shape: readonly number[];
  /** Our leaf, as in `layers.passes.0.projections.token.qkv`. */
  readonly path: string;
  /** Place in our leaf of the published element with this flat index. */
  readonly place: (index: number) => number;
}

/** Tensors by name, as a safetensors file holds them. */
export type NamedTensors = ReadonlyMap<
  string,
  { readonly shape: readonly number[]; readonly data: ArrayLike<number> }
>;

/** Constants among published weights, which are computed here, and a second name of a shared parameter. */
const DERIVED = /position_embedder\.(thetas|ixs_sin|ixs_sin_neg|inv_freq)$|(^|\.)mlp\.3\.beta$|^3\.beta$/;

/**
 * Copies published tensors into a tree.
 * @param template gives structure and shapes
 * @throws InputError for a tensor that is missing, has another shape, or belongs nowhere.
 */
export function fromNamed<P>(
  template: P,
  correspondences: readonly Correspondence[],
  tensors: NamedTensors,
): P {
  const leaves = new Map(
    treeLeaves<NDArray>(template).map(({ path, leaf }) => [path, zeros(leaf.shape) as NDArray<'float32'>]),
  );
  const known = new Set<string>();
  for (const { key, shape, path, place } of correspondences) {
    const tensor = tensors.get(key);
    if (!tensor) throw new InputError(`The weights lack '${key}'; do they belong to this configuration?`);
    if (sizeOf(tensor.shape) !== sizeOf(shape)) {
      throw new InputError(
        `'${key}' should have shape ${formatShape(shape)} in this configuration, but the weights have ${formatShape(tensor.shape)}.`,
      );
    }
    known.add(key);
    const { data } = leaves.get(path)!;
    for (let i = 0; i < tensor.data.length; i++) data[place(i)] = tensor.data[i]!;
  }
  const unknown = [...tensors.keys()].find((key) => !known.has(key) && !DERIVED.test(key));
  if (unknown !== undefined) {
    throw new InputError(`The weights hold '${unknown}', which this configuration has no place for.`);
  }
  return treeMap<NDArray, NDArray>(template, (_leaf, path) => leaves.get(path)!) as P;
}

/** A tree as published tensors. Leaves that are absent (no gradient) are left out. */
export function toNamed(
  tree: unknown,
  correspondences: readonly Correspondence[],
): Map<string, { shape: readonly number[]; data: Float32Array<ArrayBuffer> }> {
  const leaves = new Map(treeLeaves<NDArray>(tree).map(({ path, leaf }) => [path, leaf]));
  const result = new Map<string, { shape: readonly number[]; data: Float32Array<ArrayBuffer> }>();
  for (const { key, shape, path, place } of correspondences) {
    const leaf = leaves.get(path);
    if (!leaf) continue;
    result.set(key, {
      shape,
      data: Float32Array.from({ length: sizeOf(shape) }, (_, i) => leaf.data[place(i)]!),
    });
  }
  return result;
}

/** A tensor whose elements follow each other as in our leaf, from `start` on. */
export function asIs(key: string, shape: readonly number[], path: string, start: number): Correspondence {
  return { key, shape, path, place: (i) => start + i };
}

/** A published matrix `[out, in]` that is `[in, out]` here, from `start` on. */
export function turned(key: string, out: number, into: number, path: string, start: number): Correspondence {
  return { key, shape: [out, into], path, place: (i) => start + (i % into) * out + Math.floor(i / into) };
}
