import { InputError } from '@palimpsest/tensor-core';
import { FlatIndex } from './flat-index.js';
import { HnswGraph } from './hnsw-graph.js';
import { HnswIndex, type HnswOptions } from './hnsw-index.js';
import type { SavedGraph, SearchHit, VectorIndex } from './vector-index.js';

export interface AutoIndexOptions extends HnswOptions {
  /** Floats (entries x dimension) up to which a flat scan serves. Default 1.6 million: 100,000 entries at d = 16, where both answer in
   *  0.2 ms. */
  readonly flatFloats?: number;
}

/** Entries that each insertion moves into the graph while it is being built. */
const MOVED_PER_INSERT = 8;

/**
 * Flat while small, an HNSW graph beyond. The graph is built alongside, a few entries per insertion, and the exact flat
 * scan serves until it is complete, so that no single call stalls. Shrinking below half the threshold goes back to flat. Where
 * graphs are not supported (no WebAssembly), it stays flat.
 */
export class AutoIndex implements VectorIndex {
  readonly #flatFloats: number;
  #flat: FlatIndex | undefined;
  #graph: HnswIndex | undefined;
  #waiting: number[] = [];

  constructor(
    readonly dimension: number,
    private readonly options: AutoIndexOptions = {},
  ) {
    this.#flatFloats = options.flatFloats ?? 1_600_000;
    this.#flat = new FlatIndex(dimension);
  }

  /** What answers searches now. */
  get current(): 'flat' | 'hnsw' {
    return this.#flat ? 'flat' : 'hnsw';
  }

  get size(): number {
    return this.#serving().size;
  }

  has(id: number): boolean {
    return this.#serving().has(id);
  }

  insert(id: number, vector: ArrayLike<number>): void {
    this.#serving().insert(id, vector);
    if (!this.#flat) return;
    if (this.#graph) this.#graph.insert(id, vector);
    else if (HnswGraph.isSupported && this.#floats() > this.#flatFloats) this.#startMoving();
    this.#move();
  }

  update(id: number, vector: ArrayLike<number>): void {
    if (!this.has(id)) throw new InputError(`There is no id ${id} to update; insert it first.`);
    this.insert(id, vector);
  }

  remove(id: number): boolean {
    if (!this.#serving().remove(id)) return false;
    if (this.#flat) this.#graph?.remove(id);
    if (this.#graph && this.#floats() < this.#flatFloats / 2) this.#backToFlat();
    return true;
  }

  search(query: ArrayLike<number>, k: number, ef?: number): SearchHit[] {
    return this.#serving().search(query, k, ef);
  }

  verify(ids: Iterable<number>): string[] {
    return this.#serving().verify(ids);
  }

  saved(): SavedGraph | undefined {
    return this.#flat ? undefined : this.#graph!.saved();
  }

  restore(saved: SavedGraph, entries: Iterable<readonly [number, ArrayLike<number>]>): void {
    this.#graph = new HnswIndex(this.dimension, this.options);
    this.#graph.restore(saved, entries);
    this.#flat = undefined;
  }

  #serving(): VectorIndex {
    return this.#flat ?? this.#graph!;
  }

  #floats(): number {
    return this.size * this.dimension;
  }

  #startMoving(): void {
    this.#graph = new HnswIndex(this.dimension, this.options);
    this.#waiting = [...this.#flat!.entries()].map(([id]) => id);
  }

  #move(): void {
    if (!this.#graph || !this.#flat) return;
    for (const id of this.#waiting.splice(-MOVED_PER_INSERT)) {
      if (this.#flat.has(id) && !this.#graph.has(id)) this.#graph.insert(id, this.#flat.vectorOf(id));
    }
    if (this.#waiting.length === 0) this.#flat = undefined;
  }

  #backToFlat(): void {
    if (!this.#flat) {
      this.#flat = new FlatIndex(this.dimension);
      for (const [id, vector] of this.#graph!.entries()) this.#flat.insert(id, vector);
    }
    this.#graph = undefined;
    this.#waiting = [];
  }
}
