import { InputError } from '@palimpsest/tensor-core';
import { SlotHeap } from './binary-heap.js';
import { farthestFirstKMeans } from './farthest-first.js';
import { TopK } from './top-k.js';
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

export interface ConeTreeOptions {
  /** Children of a node. Default 8. */
  readonly fanOut?: number;
  /** Ids that a leaf may hold. Default 20. */
  readonly maxLeaf?: number;
  /** Leaves that one search may score; exact when absent. */
  readonly maxLeaves?: number;
}

/** Widens every cone and every bound, so that rounding never hides an entry. */
const MARGIN = 1e-6;

interface ConeNode {
  parent: ConeNode | undefined;
  ids: number[];
  children: ConeNode[];
  count: number;
  /** Sum of the vectors below. */
  readonly sum: Float64Array;
  /** Axis of the cone, and the cosine of the largest angle of a vector below to it. */
  anchor: Float64Array;
  width: number;
  countAtAnchor: number;
}

/**
 * Exact nearest directions by branch and bound: every node is a cone that holds its vectors, and a search opens nodes by
 * the best cosine that their cone allows. Pays on clustered directions (DERIVATION.md, "Cone tree").
 */
export class ConeTree implements VectorIndex {
  readonly #slab: VectorSlab;
  readonly #fanOut: number;
  readonly #maxLeaf: number;
  readonly #maxLeaves: number;
  readonly #leafOf = new Map<number, ConeNode>();
  #root: ConeNode;
  #lastScored = 0;

  constructor(
    readonly dimension: number,
    { fanOut = 8, maxLeaf = 20, maxLeaves = Number.POSITIVE_INFINITY }: ConeTreeOptions = {},
  ) {
    this.#slab = new VectorSlab(dimension);
    this.#fanOut = fanOut;
    this.#maxLeaf = maxLeaf;
    this.#maxLeaves = maxLeaves;
    this.#root = this.#node([]);
  }

  /** A tree of many vectors at once, better balanced than by inserting them one by one. */
  static build(
    dimension: number,
    entries: Iterable<readonly [id: number, vector: ArrayLike<number>]>,
    options: ConeTreeOptions = {},
  ): ConeTree {
    const tree = new ConeTree(dimension, options);
    for (const [id, vector] of entries) {
      checkId(id);
      tree.#slab.set(id, checkedVector(vector, dimension, `The vector of id ${id}`));
    }
    tree.#root = tree.#node([...tree.#slab.allIds()]);
    tree.#splitWhereOverfull(tree.#root);
    return tree;
  }

  get size(): number {
    return this.#slab.size;
  }

  /** Vectors that the last search compared with its query. */
  get lastScored(): number {
    return this.#lastScored;
  }

  has(id: number): boolean {
    return this.#slab.has(id);
  }

  insert(id: number, vector: ArrayLike<number>): void {
    checkId(id);
    const unit = checkedVector(vector, this.dimension, `The vector of id ${id}`);
    this.remove(id);
    this.#slab.set(id, unit);
    const row = this.#slab.vector(id);
    let node = this.#root;
    for (;;) {
      this.#admit(node, row);
      if (node.children.length === 0) break;
      node = closestChild(node, row);
    }
    node.ids.push(id);
    this.#leafOf.set(id, node);
    for (let stale: ConeNode | undefined = node; stale; stale = stale.parent) {
      if (stale.count >= 2 * Math.max(stale.countAtAnchor, 1)) this.#refresh(stale);
    }
    this.#splitWhereOverfull(node);
  }

  update(id: number, vector: ArrayLike<number>): void {
    if (!this.has(id)) throw new InputError(`There is no id ${id} to update; insert it first.`);
    this.insert(id, vector);
  }

  remove(id: number): boolean {
    const leaf = this.#leafOf.get(id);
    if (!leaf) return false;
    const row = this.#slab.vector(id);
    leaf.ids.splice(leaf.ids.indexOf(id), 1);
    for (let node: ConeNode | undefined = leaf; node; node = node.parent) {
      node.count -= 1;
      for (let i = 0; i < row.length; i++) node.sum[i]! -= row[i]!;
      node.children = node.children.filter((child) => child.count > 0);
    }
    this.#leafOf.delete(id);
    this.#slab.remove(id);
    if (this.size === 0) this.#root = this.#node([]);
    return true;
  }

  search(query: ArrayLike<number>, k: number): SearchHit[] {
    checkCount(k);
    const d = this.dimension;
    const q = checkedVector(query, d, 'The query');
    const best = new TopK(k);
    const open: ConeNode[] = [this.#root];
    const queue = new SlotHeap(64);
    queue.push(1 + MARGIN, 0);
    let leaves = 0;
    this.#lastScored = 0;
    while (queue.size > 0 && queue.keys[0]! >= best.threshold && leaves < this.#maxLeaves) {
      const node = open[queue.pop()]!;
      for (const child of node.children) {
        const bound = largestCosine(child, q);
        if (bound < best.threshold) continue;
        queue.push(bound, open.length);
        open.push(child);
      }
      if (node.children.length > 0) continue;
      leaves += 1;
      this.#lastScored += node.ids.length;
      for (const id of node.ids) best.offer(id, dotRow(this.#slab.rows, this.#slab.rowOf(id) * d, q, d));
    }
    return best.hits();
  }

  verify(ids: Iterable<number>): string[] {
    const messages = compareIds(this.#slab.allIds(), ids, 'The cone tree');
    let held = 0;
    const stack = [this.#root];
    for (let node = stack.pop(); node; node = stack.pop()) {
      stack.push(...node.children);
      held += node.ids.length;
      for (const id of this.#idsBelow(node)) {
        if (
          dotRow(this.#slab.rows, this.#slab.rowOf(id) * this.dimension, node.anchor, this.dimension) >=
          node.width
        )
          continue;
        messages.push(`A cone of the tree does not hold its id ${id}`);
      }
    }
    if (held !== this.size) messages.push(`The leaves hold ${held} ids, but ${this.size} vectors are kept`);
    return messages;
  }

  #node(ids: number[], parent?: ConeNode): ConeNode {
    const node: ConeNode = {
      parent,
      ids,
      children: [],
      count: ids.length,
      sum: new Float64Array(this.dimension),
      anchor: new Float64Array(this.dimension),
      width: 1,
      countAtAnchor: 0,
    };
    for (const id of ids) {
      const row = this.#slab.vector(id);
      for (let i = 0; i < row.length; i++) node.sum[i]! += row[i]!;
      this.#leafOf.set(id, node);
    }
    if (ids.length > 0) this.#refresh(node);
    return node;
  }

  /** Counts a vector in and widens the cone so that it holds it. */
  #admit(node: ConeNode, row: Float32Array): void {
    node.count += 1;
    for (let i = 0; i < row.length; i++) node.sum[i]! += row[i]!;
    node.width = Math.min(node.width, dotRow(row, 0, node.anchor, row.length) - MARGIN);
  }

  /** New axis (the normalised mean) and width from all vectors below. */
  #refresh(node: ConeNode): void {
    const norm = Math.hypot(...node.sum);
    const ids = this.#idsBelow(node);
    node.anchor =
      norm > 1e-9 ? node.sum.map((value) => value / norm) : Float64Array.from(this.#slab.vector(ids[0]!));
    node.countAtAnchor = node.count;
    node.width = 1;
    for (const id of ids) {
      const cosine = dotRow(
        this.#slab.rows,
        this.#slab.rowOf(id) * this.dimension,
        node.anchor,
        this.dimension,
      );
      node.width = Math.min(node.width, cosine - MARGIN);
    }
  }

  #idsBelow(node: ConeNode): number[] {
    const ids: number[] = [];
    const stack = [node];
    for (let next = stack.pop(); next; next = stack.pop()) {
      for (const id of next.ids) ids.push(id);
      stack.push(...next.children);
    }
    return ids;
  }

  #splitWhereOverfull(start: ConeNode): void {
    const overfull = start.ids.length > this.#maxLeaf ? [start] : [];
    for (let node = overfull.pop(); node; node = overfull.pop()) {
      node.children = this.#groups(node.ids).map((ids) => this.#node(ids, node));
      node.ids = [];
      overfull.push(...node.children.filter((child) => child.ids.length > this.#maxLeaf));
    }
  }

  /** Clusters of unit vectors; equal vectors, which no clustering separates, are halved. */
  #groups(ids: readonly number[]): number[][] {
    const n = ids.length;
    const k = Math.min(this.#fanOut, n);
    const rows = new Float64Array(n * this.dimension);
    ids.forEach((id, row) => {
      rows.set(this.#slab.vector(id), row * this.dimension);
    });
    const labels = farthestFirstKMeans(rows, n, this.dimension, k);
    const groups = Array.from({ length: k }, (): number[] => []);
    ids.forEach((id, row) => {
      groups[labels[row]!]!.push(id);
    });
    const filled = groups.filter((group) => group.length > 0);
    const half = Math.ceil(n / 2);
    return filled.length > 1 ? filled : [ids.slice(0, half), ids.slice(half)];
  }
}

/** The child whose axis is closest; of those equally close, the smallest. */
function closestChild(node: ConeNode, row: Float32Array): ConeNode {
  let best = node.children[0]!;
  let bestValue = Number.NEGATIVE_INFINITY;
  for (const child of node.children) {
    const value = dotRow(row, 0, child.anchor, row.length);
    const tied = Math.abs(value - bestValue) <= 1e-9;
    if (tied ? child.count >= best.count : value <= bestValue) continue;
    best = child;
    bestValue = value;
  }
  return best;
}

/** Upper bound of the cosine of q with any vector of a cone: 1 inside, else cos(angle to the axis − half-angle). */
function largestCosine(node: ConeNode, q: Float64Array): number {
  let c = 0;
  for (let i = 0; i < q.length; i++) c += node.anchor[i]! * q[i]!;
  const w = node.width;
  if (c >= w) return 1 + MARGIN;
  const sines = Math.sqrt(Math.max(0, 1 - c * c)) * Math.sqrt(Math.max(0, 1 - w * w));
  return c * w + sines + MARGIN;
}
