import { maximum, minimum } from '@palimpsest/base';
import { InputError } from '@palimpsest/tensor-core';
import { farthestFirstKMeans } from './farthest-first.js';
import { principalProjection } from './principal-projection.js';
import { TopK } from './top-k.js';
import { DirectionNode } from './tree-node.js';
import {
  checkCount,
  checkedVector,
  checkId,
  compareIds,
  dotRow,
  type SearchHit,
  type VectorIndex,
} from './vector-index.js';
import { VectorSlab } from './vector-slab.js';

export interface DirectionTreeOptions {
  /** Children of a split. Default 8. */
  readonly treeK?: number;
  /** Ids that a leaf may hold. Default 20. */
  readonly treeMaxLeaf?: number;
  /** Beam of `search`, and of `retrieve` by default. Default 5. */
  readonly beam?: number;
  /**
   * `cosine` (default): children compete by their center's cosine, entries by their own; leaves of equal vectors are
   * halved. `accumulated`: the original, whose values add up the similarities along the path; vectors are kept as given.
   */
  readonly scoring?: 'accumulated' | 'cosine';
}

/** An id with the value that `retrieve` gave it: a cosine, or a sum of similarities with accumulated scoring. */
export interface RetrievedId {
  readonly id: number;
  readonly value: number;
}

export interface TreeStats {
  readonly leaves: number;
  readonly depth: number;
  readonly leafSizes: { readonly min: number; readonly mean: number; readonly max: number };
  /** Leaves whose mean pairwise cosine exceeds 0.95. */
  readonly degenerateLeaves: number;
}

/** A child that is this close to the best one competes by size, so that equal vectors spread evenly. */
const CENTER_TIE = 1e-9;

/**
 * A tree of directions: leaves hold ids, inner nodes the unit mean of each child (DERIVATION.md, "Direction tree"). Running
 * sums per node make an insertion cost O(depth·(K + d)).
 */
export class DirectionTree implements VectorIndex {
  readonly treeK: number;
  readonly treeMaxLeaf: number;
  readonly beam: number;
  readonly scoring: 'accumulated' | 'cosine';
  #slab: VectorSlab;
  #leafOf = new Map<number, DirectionNode>();
  #root: DirectionNode;

  constructor(
    readonly dimension: number,
    options: DirectionTreeOptions = {},
  ) {
    this.treeK = wholeNumber('treeK', options.treeK ?? 8, 2);
    this.treeMaxLeaf = wholeNumber('treeMaxLeaf', options.treeMaxLeaf ?? 20, 1);
    this.beam = wholeNumber('beam', options.beam ?? 5, 1);
    this.scoring = options.scoring ?? 'cosine';
    this.#slab = new VectorSlab(dimension);
    this.#root = new DirectionNode(dimension);
  }

  get size(): number {
    return this.#slab.size;
  }

  /** The root, for dumps and diagnostics; read only. */
  get root(): DirectionNode {
    return this.#root;
  }

  has(id: number): boolean {
    return this.#slab.has(id);
  }

  insert(id: number, vector: ArrayLike<number>): void {
    checkId(id);
    const unit = this.scoring === 'cosine';
    const checked = checkedVector(vector, this.dimension, `The vector of id ${id}`, unit);
    this.remove(id);
    this.#slab.set(id, checked);
    this.#place(id);
  }

  update(id: number, vector: ArrayLike<number>): void {
    if (!this.has(id)) throw new InputError(`There is no id ${id} to update; insert it first.`);
    this.insert(id, vector);
  }

  remove(id: number): boolean {
    const leaf = this.#leafOf.get(id);
    if (!leaf) return false;
    const vector = this.#slab.vector(id);
    leaf.ids.splice(leaf.ids.indexOf(id), 1);
    for (let node: DirectionNode | undefined = leaf; node; node = node.parent) node.subtract(vector);
    this.#leafOf.delete(id);
    this.#slab.remove(id);
    for (let node: DirectionNode | undefined = leaf; node; node = node.parent) this.#tidy(node);
    return true;
  }

  /** Starts over: all ids again, in rising order. */
  rebuild(): void {
    this.#root = new DirectionNode(this.dimension);
    this.#leafOf.clear();
    for (const id of [...this.#slab.allIds()].sort((a, b) => a - b)) this.#place(id);
  }

  /**
   * Beam search: all ids of the leaves that it reaches with their values, sorted by falling value and then rising id.
   * With accumulated scoring the query is not normalised.
   */
  retrieve(query: ArrayLike<number>, beam = this.beam): RetrievedId[] {
    wholeNumber('beam', beam, 1);
    const accumulated = this.scoring === 'accumulated';
    const q = checkedVector(query, this.dimension, 'The query', !accumulated);
    const found = new Map<number, number>();
    let frontier = [{ node: this.#root, score: 0 }];
    while (frontier.length > 0) {
      const next: { node: DirectionNode; score: number }[] = [];
      for (const { node, score } of frontier) {
        if (node.isLeaf) this.#scoreLeaf(node, q, accumulated ? score : 0, found);
        else next.push(...bestChildren(node, q, beam, accumulated ? score : 0));
      }
      frontier = next.sort((a, b) => b.score - a.score).slice(0, beam);
    }
    return [...found].map(([id, value]) => ({ id, value })).sort((a, b) => b.value - a.value || a.id - b.id);
  }

  search(query: ArrayLike<number>, k: number): SearchHit[] {
    checkCount(k);
    const q = checkedVector(query, this.dimension, 'The query');
    const best = new TopK(k);
    for (const { id, value } of this.retrieve(query)) {
      best.offer(id, this.scoring === 'cosine' ? value : this.#trueCosine(id, q));
    }
    return best.hits();
  }

  verify(ids: Iterable<number>): string[] {
    const messages = compareIds(this.#slab.allIds(), ids, 'The tree');
    const seen = new Map<number, number>();
    for (const node of this.#nodes()) {
      if (node.isLeaf) for (const id of node.ids) seen.set(id, (seen.get(id) ?? 0) + 1);
      const below = node.isLeaf
        ? node.ids.length
        : node.children.reduce((sum, child) => sum + child.count, 0);
      if (below !== node.count) messages.push(`A node counts ${node.count} ids but has ${below} below it`);
    }
    for (const [id, times] of seen) if (times > 1) messages.push(`The tree holds id ${id} ${times} times`);
    if (seen.size !== this.#slab.size) {
      messages.push(`The leaves hold ${seen.size} ids, but ${this.#slab.size} vectors are kept`);
    }
    return messages;
  }

  /** Shape of the tree and its weak spots. */
  stats(): TreeStats {
    const leaves = [...this.#nodes()].filter((node) => node.isLeaf);
    const sizes = leaves.map((leaf) => leaf.ids.length);
    return {
      leaves: leaves.length,
      depth: maximum(leaves.map((leaf) => leaf.depth)),
      leafSizes: {
        min: minimum(sizes),
        mean: sizes.reduce((sum, size) => sum + size, 0) / sizes.length,
        max: maximum(sizes),
      },
      degenerateLeaves: leaves.filter((leaf) => leaf.meanPairwiseCosine() > 0.95).length,
    };
  }

  #place(id: number): void {
    const vector = this.#slab.vector(id);
    let node = this.#root;
    while (!node.isLeaf) {
      const child = this.#chooseChild(node, vector);
      node.add(vector);
      node = child;
    }
    node.add(vector);
    node.ids.push(id);
    this.#leafOf.set(id, node);
    if (node.ids.length > this.treeMaxLeaf) this.#split(node);
  }

  #chooseChild(node: DirectionNode, vector: Float32Array): DirectionNode {
    let best = node.children[0]!;
    let bestValue = best.similarity(vector);
    for (const child of node.children.slice(1)) {
      const value = child.similarity(vector);
      const tied = this.scoring === 'cosine' && Math.abs(value - bestValue) <= CENTER_TIE;
      if (tied ? child.count >= best.count : value <= bestValue) continue;
      best = child;
      bestValue = value;
    }
    return best;
  }

  /** Splits a leaf and whichever of its children is still over-full, with an explicit stack. */
  #split(leaf: DirectionNode): void {
    const overfull = [leaf];
    for (let node = overfull.pop(); node; node = overfull.pop()) {
      const groups = this.#groups(node.ids);
      if (groups.length < 2) continue;
      node.ids = [];
      node.children = groups.map((ids) => this.#newLeaf(node!, ids));
      overfull.push(...node.children.filter((child) => child.ids.length > this.treeMaxLeaf).reverse());
    }
  }

  #newLeaf(parent: DirectionNode, ids: number[]): DirectionNode {
    const child = new DirectionNode(this.dimension, parent);
    child.ids = ids;
    for (const id of ids) {
      child.add(this.#slab.vector(id));
      this.#leafOf.set(id, child);
    }
    return child;
  }

  #groups(ids: readonly number[]): number[][] {
    const n = ids.length;
    const k = Math.min(this.treeK, n);
    if (n < 2 || k < 2) return [];
    const rows = new Float64Array(n * this.dimension);
    ids.forEach((id, row) => {
      rows.set(this.#slab.vector(id), row * this.dimension);
    });
    const { points, width } = principalProjection(rows, n, this.dimension, Math.min(k, this.dimension));
    const labels = farthestFirstKMeans(points, n, width, k);
    const groups = Array.from({ length: k }, (): number[] => []);
    ids.forEach((id, row) => {
      groups[labels[row]!]!.push(id);
    });
    const filled = groups.filter((group) => group.length > 0);
    if (filled.length > 1 || this.scoring === 'accumulated') return filled;
    const half = Math.ceil(n / 2);
    return [ids.slice(0, half), ids.slice(half)];
  }

  /** Drops empty children; a node left without children becomes a leaf, one with a single child takes its place. */
  #tidy(node: DirectionNode): void {
    if (node.isLeaf) return;
    node.children = node.children.filter((child) => child.count > 0);
    if (node.children.length !== 1) return;
    const only = node.children[0]!;
    node.ids = only.ids;
    node.children = only.children;
    for (const child of node.children) child.parent = node;
    for (const id of node.ids) this.#leafOf.set(id, node);
  }

  #scoreLeaf(leaf: DirectionNode, q: Float64Array, score: number, found: Map<number, number>): void {
    const d = this.dimension;
    for (const id of leaf.ids) {
      const value = dotRow(this.#slab.rows, this.#slab.rowOf(id) * d, q, d) + score;
      found.set(id, Math.max(value, found.get(id) ?? Number.NEGATIVE_INFINITY));
    }
  }

  #trueCosine(id: number, q: Float64Array): number {
    const unit = Float32Array.from(
      checkedVector(this.#slab.vector(id), this.dimension, `The vector of id ${id}`),
    );
    return dotRow(unit, 0, q, this.dimension);
  }

  *#nodes(): IterableIterator<DirectionNode> {
    const stack = [this.#root];
    for (let node = stack.pop(); node; node = stack.pop()) {
      yield node;
      stack.push(...node.children);
    }
  }
}

function bestChildren(
  node: DirectionNode,
  q: Float64Array,
  beam: number,
  score: number,
): { node: DirectionNode; score: number }[] {
  return node.children
    .map((child) => ({ node: child, score: score + child.similarity(q) }))
    .sort((a, b) => b.score - a.score)
    .slice(0, beam);
}

function wholeNumber(name: string, value: number, least: number): number {
  if (Number.isInteger(value) && value >= least) return value;
  throw new InputError(
    `DirectionTree: '${name}' must be a whole number of at least ${least}, but is ${value}.`,
  );
}
