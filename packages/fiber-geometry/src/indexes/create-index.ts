import { InputError } from '@palimpsest/tensor-core';
import { AutoIndex, type AutoIndexOptions } from './auto-index.js';
import { ConeTree, type ConeTreeOptions } from './cone-tree.js';
import { DirectionTree, type DirectionTreeOptions } from './direction-tree.js';
import { FlatIndex } from './flat-index.js';
import { HnswIndex } from './hnsw-index.js';
import type { VectorIndex } from './vector-index.js';

export type IndexKind = 'flat' | 'tree' | 'cone' | 'hnsw' | 'auto';
export type IndexOptions = DirectionTreeOptions & ConeTreeOptions & AutoIndexOptions;

/**
 * Makes an index over directions of `dimension` numbers; every kind reads the options it knows.
 * @throws InputError for a kind that does not exist.
 */
export function createIndex(kind: IndexKind, dimension: number, options: IndexOptions = {}): VectorIndex {
  switch (kind) {
    case 'flat':
      return new FlatIndex(dimension);
    case 'tree':
      return new DirectionTree(dimension, options);
    case 'cone':
      return new ConeTree(dimension, options);
    case 'hnsw':
      return new HnswIndex(dimension, options);
    case 'auto':
      return new AutoIndex(dimension, options);
    default:
      throw new InputError(
        `There is no index kind '${kind as string}'; there are flat, tree, cone, hnsw and auto.`,
      );
  }
}
