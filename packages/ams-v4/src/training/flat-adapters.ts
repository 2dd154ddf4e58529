import { type NDArray, ndarray, tf, treeLeaves, treeMap } from '@palimpsest/tensor-core';
import type { AdapterParameters } from '../model/adapters.js';

/** Vectors of parameters that a step reaches together or not at all: texts that are too short reach no prefix, a single one no time axis. */
export type FlatAdapters<T> = { readonly encoders: T; readonly prefix: T; readonly timeAxis: T };

export type Part = keyof FlatAdapters<unknown>;
export const PARTS: readonly Part[] = ['encoders', 'prefix', 'timeAxis'];

/** The vector of a parameter; none for what no loss reads: geometry, attention to turns before, the axis of the topics. */
function partOf(path: string): Part | undefined {
  if (path === 'bundle_time._axis_raw') return 'timeAxis';
  if (path.startsWith('cross_attn.')) return 'prefix';
  if (path === 'bundle_ctx._axis_raw') return 'encoders';
  const isRead = /^bundle_\w+\.encoder\./.test(path) && !/\.[qkv]_proj\./.test(path);
  return isRead ? 'encoders' : undefined;
}

/** What a function gives of each vector. */
export const eachPart = <T>(of: (part: Part) => T): FlatAdapters<T> => ({
  encoders: of('encoders'),
  prefix: of('prefix'),
  timeAxis: of('timeAxis'),
});

/** Maps of the slots of a bundle lie on top of each other, because they read the same: they are one map then. */
const stackOf = (path: string): string => path.replace(/^(cross_attn\.lift_\w+)\.\d+\./, '$1.0.');

/** One array of a vector, that of one leaf or a stack of them. */
interface Stack {
  readonly part: Part;
  /** Which of the arrays of its vector. */
  readonly index: number;
  readonly leaves: { readonly path: string; readonly shape: readonly number[] }[];
}

/** The leaves of a stack lie on top of each other. */
const shapeOf = ({ leaves }: Stack): number[] => {
  const [rows, ...behind] = leaves[0]!.shape as [number, ...number[]];
  return [leaves.length * rows, ...behind];
};

interface Place {
  readonly part: Part;
  readonly at: number;
  readonly shape: readonly number[];
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((size, extent) => size * extent, 1);

/**
 * Where the trained parameters lie in a few vectors. An optimiser over a hundred small arrays costs more to begin than to do; over vectors it
 * is one pass.
 */
export class AdapterLayout {
  readonly #stacks = new Map<string, Stack>();
  readonly #places = new Map<string, Place>();
  /** Lengths of the vectors. */
  readonly sizes: FlatAdapters<number>;

  constructor(private readonly template: AdapterParameters<NDArray>) {
    const counts = { encoders: 0, prefix: 0, timeAxis: 0 };
    for (const { path, leaf } of treeLeaves<NDArray>(template)) {
      const part = partOf(path);
      if (!part) continue;
      const key = stackOf(path);
      const stack = this.#stacks.get(key) ?? { part, index: counts[part]++, leaves: [] };
      stack.leaves.push({ path, shape: leaf.shape });
      this.#stacks.set(key, stack);
    }
    const ends = { encoders: 0, prefix: 0, timeAxis: 0 };
    for (const { part, leaves } of this.#stacks.values()) {
      for (const { path, shape } of leaves) {
        this.#places.set(path, { part, at: ends[part], shape });
        ends[part] += sizeOf(shape);
      }
    }
    this.sizes = ends;
  }

  /** Puts adapters into vectors. */
  flatten(adapters: AdapterParameters<NDArray>, vectors: FlatAdapters<Float32Array>): void {
    for (const { path, leaf } of treeLeaves<NDArray>(adapters)) {
      const place = this.#places.get(path);
      if (place) vectors[place.part].set(leaf.data, place.at);
    }
  }

  /** Adapters over vectors, without a copy; what is not trained is that of others. */
  adapters(
    vectors: FlatAdapters<Float32Array>,
    others: AdapterParameters<NDArray>,
  ): AdapterParameters<NDArray> {
    return treeMap<NDArray, NDArray>(others, (leaf, path) => {
      const place = this.#places.get(path);
      if (!place) return leaf;
      return ndarray(vectors[place.part].subarray(place.at, place.at + sizeOf(place.shape)), place.shape);
    }) as AdapterParameters<NDArray>;
  }

  /** The arrays of vectors, without a copy. */
  arrays(vectors: FlatAdapters<Float32Array>): FlatAdapters<NDArray[]> {
    const arrays: FlatAdapters<NDArray[]> = { encoders: [], prefix: [], timeAxis: [] };
    for (const stack of this.#stacks.values()) {
      const { at } = this.#places.get(stack.leaves[0]!.path)!;
      const shape = shapeOf(stack);
      arrays[stack.part].push(ndarray(vectors[stack.part].subarray(at, at + sizeOf(shape)), shape));
    }
    return arrays;
  }

  /** Adapters of arrays, whose slots are lifted by one map per bundle; what is not trained is zeros, and nobody reads it. */
  shaped(arrays: FlatAdapters<tf.Tensor[]>): AdapterParameters {
    const { cross_attn, ...bundles } = this.template;
    const { lift_time, lift_topic, lift_ctx, ...rest } = cross_attn;
    const first = (lifts: typeof lift_time) => lifts.slice(0, 1);
    const stacked = {
      ...bundles,
      cross_attn: {
        ...rest,
        lift_time: first(lift_time),
        lift_topic: first(lift_topic),
        lift_ctx: first(lift_ctx),
      },
    };
    return treeMap<NDArray, tf.Tensor>(stacked, (leaf, path) => {
      const stack = this.#stacks.get(path);
      return stack ? arrays[stack.part][stack.index]! : tf.zeros([...leaf.shape]);
    }) as AdapterParameters;
  }

  /** The vectors of gradients of all arrays; none where nothing reached a part. */
  gradients(arrays: FlatAdapters<readonly (tf.Tensor | undefined)[]>): FlatAdapters<tf.Tensor | undefined> {
    return eachPart((part) => {
      const reached = arrays[part].filter((gradient) => gradient !== undefined);
      if (reached.length === 0) return undefined;
      if (reached.length < arrays[part].length) throw new Error(`A step reached a part of '${part}' alone.`);
      return tf.concat(
        reached.map((gradient) => tf.reshape(gradient, [gradient.size])),
        0,
      );
    });
  }
}
