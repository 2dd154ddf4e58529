import { type NDArray, ndarray, tf, treeLeaves, treeMap } from '@palimpsest/tensor-core';
import type { AdapterParameters } from '../model/adapters.js';

/** Vectors of parameters that a step reaches together or not at all: texts that are too short reach no prefix, a single one no time axis. */
export type FlatAdapters<T> = { readonly encoders: T; readonly prefix: T; readonly timeAxis: T };

type Part = keyof FlatAdapters<unknown>;

/** The vector of a parameter; none for what no loss reads: geometry, attention to turns before, the axis of the topics. */
function partOf(path: string): Part | undefined {
  if (path === 'bundle_time._axis_raw') return 'timeAxis';
  if (path.startsWith('cross_attn.')) return 'prefix';
  if (path === 'bundle_ctx._axis_raw') return 'encoders';
  const isRead = /^bundle_\w+\.encoder\./.test(path) && !/\.[qkv]_proj\./.test(path);
  return isRead ? 'encoders' : undefined;
}

interface Place {
  readonly part: Part;
  /** Which of the arrays of its vector. */
  readonly index: number;
  readonly at: number;
  readonly shape: readonly number[];
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((size, extent) => size * extent, 1);

/**
 * Where the trained parameters lie in a few vectors. An optimiser over a hundred small arrays is a thousand nodes of a graph, each of which
 * costs more to begin than to do; over vectors it is a dozen.
 */
export class AdapterLayout {
  readonly #places = new Map<string, Place>();
  readonly #sizes: FlatAdapters<number[]> = { encoders: [], prefix: [], timeAxis: [] };

  constructor(adapters: AdapterParameters<NDArray>) {
    const ends = { encoders: 0, prefix: 0, timeAxis: 0 };
    for (const { path, leaf } of treeLeaves<NDArray>(adapters)) {
      const part = partOf(path);
      if (!part) continue;
      const sizes = this.#sizes[part];
      this.#places.set(path, { part, index: sizes.length, at: ends[part], shape: leaf.shape });
      sizes.push(leaf.data.length);
      ends[part] += leaf.data.length;
    }
  }

  /** The vectors of adapters, on the host. */
  flat(adapters: AdapterParameters<NDArray>): FlatAdapters<NDArray> {
    const vectors = this.#eachPart((part) => new Float32Array(this.#sizes[part].reduce((a, b) => a + b, 0)));
    for (const { path, leaf } of treeLeaves<NDArray>(adapters)) {
      const place = this.#places.get(path);
      if (place) vectors[place.part].set(leaf.data, place.at);
    }
    return this.#eachPart((part) => ndarray(vectors[part], [vectors[part].length]));
  }

  /** Adapters over vectors on the host, without a copy; what is not trained is that of others. */
  adapters(vectors: FlatAdapters<NDArray>, others: AdapterParameters<NDArray>): AdapterParameters<NDArray> {
    return this.#filled<NDArray>(others, ({ part, at, shape }) =>
      ndarray((vectors[part].data as Float32Array).subarray(at, at + sizeOf(shape)), shape),
    );
  }

  /** The arrays of the vectors, each as long as it is. */
  arrays(vectors: FlatAdapters<tf.Tensor>): FlatAdapters<tf.Tensor[]> {
    return this.#eachPart((part) => tf.split(vectors[part], this.#sizes[part]));
  }

  /** Adapters of arrays; what is not trained is that of others. */
  shaped(arrays: FlatAdapters<tf.Tensor[]>, others: AdapterParameters): AdapterParameters {
    return this.#filled<tf.Tensor>(others, ({ part, index, shape }) =>
      tf.reshape(arrays[part][index]!, [...shape]),
    );
  }

  /** The vectors of gradients of all arrays; none where nothing reached a part. */
  gradients(arrays: FlatAdapters<readonly (tf.Tensor | undefined)[]>): FlatAdapters<tf.Tensor | undefined> {
    return this.#eachPart((part) => {
      const reached = arrays[part].filter((gradient) => gradient !== undefined);
      if (reached.length === 0) return undefined;
      if (reached.length < arrays[part].length) throw new Error(`A step reached a part of '${part}' alone.`);
      return tf.concat(reached, 0);
    });
  }

  #filled<T>(others: AdapterParameters<T>, fill: (place: Place) => T): AdapterParameters<T> {
    return treeMap<T, T>(others, (leaf, path) => {
      const place = this.#places.get(path);
      return place ? fill(place) : leaf;
    }) as AdapterParameters<T>;
  }

  #eachPart<T>(of: (part: Part) => T): FlatAdapters<T> {
    return { encoders: of('encoders'), prefix: of('prefix'), timeAxis: of('timeAxis') };
  }
}
