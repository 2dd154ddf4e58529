import type { EvictableLayer, TransformerConfig } from '@palimpsest/backbone';
import {
  allocate,
  formatShape,
  InputError,
  type NDArray,
  sizeOf,
  type tf,
  treeMap,
  zeros,
} from '@palimpsest/tensor-core';
import type { PolicyState } from '../policy/policy.js';

/** A layer of a managed cache. Slots stand in order of age; those without an entry have position -1. */
export type ManagedLayer<T = tf.Tensor> = {
  /** `[batch, heads, slots, headWidth]`, rotated */
  readonly keys: T;
  readonly values: T;
  /** int32 `[batch, heads, slots]` */
  readonly positions: T;
  /** What the policy carries, about the same slots. */
  readonly policy?: PolicyState<T>;
};

/** The memory of texts whose cache a policy manages: arrays as large as what they hold. */
export type ManagedState<T = tf.Tensor> = {
  /** int32 `[batch]`: position of the next token of each text. */
  readonly position: T;
  /** int32 `[batch]`: tokens read, padding counted, which the updates go by. */
  readonly seen: T;
  readonly layers: readonly ManagedLayer<T>[];
};

/** A state on the host. */
export type HostState = ManagedState<NDArray> & {
  /** int32 `[batch]`: tokens read at the next update of each text, where updates are adaptive. */
  readonly due?: NDArray;
};

/** The part that the model reads. */
export const evictableLayer = ({ keys, values, positions }: ManagedLayer): EvictableLayer => ({
  keys,
  values,
  positions,
});

/** The memory before the first token. */
export const emptyHostState = (batch: number): HostState => ({
  position: zeros([batch], 'int32'),
  seen: zeros([batch], 'int32'),
  layers: [],
});

/** The memory of some texts of a batch, in a given order; one may come several times. */
export const rowsOfState = (state: HostState, rows: readonly number[]): HostState =>
  treeMap<NDArray, NDArray, HostState>(state, (leaf) => {
    const width = sizeOf(leaf.shape.slice(1));
    const data = allocate(leaf.dtype, rows.length * width);
    rows.forEach((row, index) => {
      data.set(leaf.data.subarray(row * width, (row + 1) * width), index * width);
    });
    return { ...leaf, data, shape: [rows.length, ...leaf.shape.slice(1)] };
  });

type Arrays = Readonly<Record<string, NDArray>>;

/**
 * A state from its arrays by path.
 * @throws InputError for arrays that are no state of the model.
 */
export function hostStateOf(arrays: Arrays, config: TransformerConfig): HostState {
  const position = arrayAt(arrays, 'position', 'int32');
  const seen = arrayAt(arrays, 'seen', 'int32');
  const batch = position.shape[0] ?? 0;
  const due = 'due' in arrays ? arrayAt(arrays, 'due', 'int32') : undefined;
  if (due && formatShape(due.shape) !== formatShape(position.shape)) {
    throw new InputError(
      `The memory has 'due' of shape ${formatShape(due.shape)} instead of ${formatShape(position.shape)}.`,
    );
  }
  const isEmpty = !Object.keys(arrays).some((path) => path.startsWith('layers.'));
  const layers = isEmpty
    ? []
    : Array.from({ length: config.layers }, (_, layer) => layerOf(arrays, layer, batch, config));
  const known = new Set(['position', 'seen', 'due', ...layers.flatMap((own, layer) => pathsOf(own, layer))]);
  const foreign = Object.keys(arrays).find((path) => !known.has(path));
  if (foreign !== undefined)
    throw new InputError(`The memory has '${foreign}', which is no part of a managed cache.`);
  return { position, seen, layers, ...(due && { due }) };
}

function layerOf(
  arrays: Arrays,
  layer: number,
  batch: number,
  { keyValueHeads, headWidth }: TransformerConfig,
): ManagedLayer<NDArray> {
  const at = (name: string) => `layers.${layer}.${name}`;
  const positions = arrayAt(arrays, at('positions'), 'int32');
  const slots = positions.shape[2] ?? 0;
  const check = (name: string, shape: readonly number[]): NDArray => {
    const array = arrayAt(arrays, at(name), name === 'positions' ? 'int32' : 'float32');
    if (formatShape(array.shape) === formatShape(shape)) return array;
    throw new InputError(
      `The memory has '${at(name)}' of shape ${formatShape(array.shape)} instead of ${formatShape(shape)}.`,
    );
  };
  const policy = policyOf(arrays, at('policy.'), slots);
  return {
    positions: check('positions', [batch, keyValueHeads, slots]),
    keys: check('keys', [batch, keyValueHeads, slots, headWidth]),
    values: check('values', [batch, keyValueHeads, slots, headWidth]),
    ...(policy && { policy }),
  };
}

function policyOf(arrays: Arrays, prefix: string, slots: number): PolicyState<NDArray> | undefined {
  const below = (part: string) =>
    Object.entries(arrays).flatMap(([path, array]) =>
      path.startsWith(prefix + part) ? [[path.slice(prefix.length + part.length), array] as const] : [],
    );
  const [tokens, text] = [below('tokens.'), below('text.')];
  const torn = tokens.find(([, { shape }]) => shape[3] !== slots);
  if (torn) {
    throw new InputError(
      `The memory has '${prefix}tokens.${torn[0]}' of shape ${formatShape(torn[1].shape)} for ${slots} slots.`,
    );
  }
  if (tokens.length + text.length === 0) return undefined;
  return { tokens: Object.fromEntries(tokens), ...(text.length > 0 && { text: Object.fromEntries(text) }) };
}

function pathsOf({ policy }: ManagedLayer<NDArray>, layer: number): string[] {
  const own = ['keys', 'values', 'positions'];
  const tokens = Object.keys(policy?.tokens ?? {}).map((name) => `policy.tokens.${name}`);
  const text = Object.keys(policy?.text ?? {}).map((name) => `policy.text.${name}`);
  return [...own, ...tokens, ...text].map((name) => `layers.${layer}.${name}`);
}

function arrayAt(arrays: Arrays, path: string, dtype: NDArray['dtype']): NDArray {
  const array = arrays[path];
  if (array?.dtype === dtype) return array;
  throw new InputError(`The memory lacks '${path}', ${dtype} numbers of a managed cache.`);
}
