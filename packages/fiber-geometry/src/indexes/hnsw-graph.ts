import { InputError } from '@palimpsest/tensor-core';
import { type GraphLinks, type GraphList, packLinks, unpackLinks } from './graph-links.js';
import { type IndexKernels, indexKernels } from './index-kernels.js';

/** Largest `degree`: a cut compares every neighbour of a list with every other one. */
export const LARGEST_DEGREE = 511;

/** What a search found, best first. */
export interface FoundSlots {
  readonly count: number;
  slotAt(i: number): number;
  /** Similarity of the i-th, summed in float32. */
  similarityAt(i: number): number;
  /** Where the row of a slot begins in {@link memory}. */
  rowAt(slot: number): number;
  /** The whole memory of the graph; valid until a slot is added. */
  readonly memory: Float32Array;
}

/**
 * Neighbour lists per layer over slots 0…size−1, and the searches on them, in WebAssembly (the folder assembly/): a graph has a
 * memory of its own, in which rows and lists lie side by side. Similarity is the dot product of unit rows.
 *
 * Lists are cut to the neighbours that lie in different directions (Malkov and Yashunin 2016, algorithm 4), which drops
 * links to newcomers among many near-duplicates until nothing leads there. So every slot but the first of a layer has a
 * kept link with the nearest slot that has room for one, in both directions, which no cut drops: these links form a
 * tree, and every slot can be reached from every other. Slots that few lists name are cut last: a search finds what is
 * near by several ways or by luck.
 */
export class HnswGraph {
  readonly #kernels: IndexKernels;
  readonly #vectorAt: number;
  #views: { readonly floats: Float32Array; readonly words: Int32Array } | undefined;
  #size = 0;

  /** @throws InputError where WebAssembly or its vectors are missing or forbidden. */
  constructor(
    readonly dimension: number,
    degree: number,
  ) {
    if (!indexKernels) {
      throw new InputError(
        'A graph index needs WebAssembly with 128-bit vectors, which is missing or forbidden here; the kinds flat, tree and cone work without.',
      );
    }
    this.#kernels = indexKernels();
    this.#kernels.configure(dimension, degree);
    this.#vectorAt = this.#kernels.vectorAt() >> 2;
  }

  /** Whether graphs can be made here. */
  static get isSupported(): boolean {
    return indexKernels !== undefined;
  }

  get size(): number {
    return this.#size;
  }

  /** Adds a slot with a unit vector and links it. @throws InputError when 4 GiB, all that WebAssembly addresses, are full. */
  add(vector: Float32Array, level: number, efConstruction: number): number {
    this.#give(vector);
    return this.#taken(this.#kernels.add(level, efConstruction));
  }

  #taken(slot: number): number {
    if (slot < 0) {
      throw new InputError(
        `There is no memory for another vector in the index, which holds ${this.#size}; an index has room in at most 4 GiB.`,
      );
    }
    this.#size = slot + 1;
    return slot;
  }

  /** All links, from which {@link restore} makes the same graph. */
  links(): GraphLinks {
    const levels = Uint8Array.from({ length: this.#size }, (_, slot) => this.#kernels.upperLevel(slot));
    return packLinks(levels, () => this.#lists(levels));
  }

  *#lists(levels: Uint8Array): IterableIterator<GraphList> {
    const { words } = this.#memory();
    for (const [slot, level] of levels.entries()) {
      for (let layer = 0; layer <= level; layer++) {
        const list = this.#kernels.listAt(slot, layer) >>> 2;
        const first = list + LIST_HEAD / 4;
        yield {
          slot,
          layer,
          kept: words[list + 1]!,
          neighbours: words.subarray(first, first + words[list]!),
        };
      }
    }
  }

  /**
   * Fills an empty graph.
   * @param rows the unit vector of every slot
   * @throws InputError where the links are not those of a graph, which is then of no use, and as `add`.
   */
  restore(saved: GraphLinks, rows: readonly Float32Array[]): void {
    // Checked as a whole before memory is taken.
    const lists = () => unpackLinks(saved, (layer) => this.#kernels.mostOf(layer));
    for (const _ of lists());
    for (const [slot, level] of saved.levels.entries()) {
      this.#give(rows[slot]!);
      this.#taken(this.#kernels.place(level));
    }
    const { words } = this.#memory();
    for (const { slot, layer, kept, neighbours } of lists()) {
      const list = this.#kernels.listAt(slot, layer) >>> 2;
      words[list] = neighbours.length;
      words[list + 1] = kept;
      words.set(neighbours, list + LIST_HEAD / 4);
      for (const other of neighbours) words[(this.#kernels.listAt(other, layer) >>> 2) + 2]! += 1;
    }
  }

  /** The `ef` slots found closest to a unit query, best first. */
  search(query: ArrayLike<number>, ef: number): FoundSlots {
    this.#give(query);
    const count = this.#kernels.search(Math.min(ef, this.#size));
    const { floats, words } = this.#memory();
    const first = this.#kernels.foundAt() >> 2;
    return {
      count,
      slotAt: (i) => words[first + 2 * i + 1]!,
      similarityAt: (i) => floats[first + 2 * i]!,
      rowAt: (slot) => this.#kernels.rowAt(slot) >>> 2,
      memory: floats,
    };
  }

  /** The unit row of a slot; a view, valid until the graph changes. */
  row(slot: number): Float32Array {
    return new Float32Array(this.#kernels.memory.buffer, this.#kernels.rowAt(slot), this.dimension);
  }

  /** Slots that no path of links leads to from where searches begin. */
  unreachable(): number[] {
    const reached = new Uint8Array(this.size);
    const open = this.size === 0 ? [] : [this.#kernels.entrance()];
    for (const slot of open) reached[slot] = 1;
    for (let slot = open.pop(); slot !== undefined; slot = open.pop()) {
      for (let layer = this.#kernels.upperLevel(slot); layer >= 0; layer--) {
        for (const neighbour of this.neighbours(slot, layer)) {
          if (neighbour >= this.size || reached[neighbour] === 1) continue;
          reached[neighbour] = 1;
          open.push(neighbour);
        }
      }
    }
    return [...reached.keys()].filter((slot) => reached[slot] === 0);
  }

  /** Neighbours of a slot in a layer; a view, valid until the graph changes. */
  neighbours(slot: number, layer: number): Int32Array {
    const list = this.#kernels.listAt(slot, layer);
    const count = new Int32Array(this.#kernels.memory.buffer, list, 1)[0]!;
    return new Int32Array(this.#kernels.memory.buffer, list + LIST_HEAD, count);
  }

  #give(vector: ArrayLike<number>): void {
    this.#memory().floats.set(vector, this.#vectorAt);
  }

  /** Views of the memory, made anew when it has grown: making them costs as much as a few comparisons of vectors. */
  #memory(): { readonly floats: Float32Array; readonly words: Int32Array } {
    const { buffer } = this.#kernels.memory;
    if (this.#views?.floats.buffer !== buffer) {
      this.#views = { floats: new Float32Array(buffer), words: new Int32Array(buffer) };
    }
    return this.#views;
  }
}

/** Bytes before the neighbours of a list: their number, that of kept ones, that of lists that name the slot. */
const LIST_HEAD = 12;
