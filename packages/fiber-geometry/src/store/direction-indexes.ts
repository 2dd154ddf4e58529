import { InputError } from '@palimpsest/base';
import type { BundleName } from '../bundle.js';
import { modeDefaults } from '../config.js';
import { createIndex } from '../indexes/create-index.js';
import type { SavedGraph, SearchHit, VectorIndex } from '../indexes/vector-index.js';
import { BUNDLES, coordinateSize } from './entry.js';
import type { AskedBundle, Directions, FusedWeights } from './fused-search.js';
import type { StoreConfig } from './store-config.js';

/** Candidates of a search in a graph over all bundles: a longer look than one bundle needs, at less than the cost of three. */
const JOINT_EF = 768;
/** Entries up to which they suffice: beyond, neighbours lie closer to one another, and the look grows with the root of their number. */
const JOINT_SIZE = 100_000;
const jointEf = (size: number): number => Math.round(JOINT_EF * Math.sqrt(Math.max(1, size / JOINT_SIZE)));

/** The index of a bundle, or that over all of them. */
export type GraphName = BundleName | 'joint';

/** What a file keeps of the indexes that are graphs. */
export type SavedGraphs = { readonly [name in GraphName]?: SavedGraph | undefined };

/** What the indexes are over: the entries of a store by rising id. */
export interface Indexed {
  entries(): Iterable<Directions & { readonly mid: number }>;
}

/**
 * The indexes of a store's directions: one per bundle. Where the weights of the bundles are known beforehand there is a joint one, and that
 * of a single bundle is made when it is first asked for.
 *
 * The joint index holds the three directions of an entry behind one another, each times the root of its weight. All such vectors have one
 * length, and their product with the directions of a query, put together alike, is the weighted sum of the cosines: what is nearest there is
 * what is best together, an entry that is middling in every bundle included.
 */
export class DirectionIndexes {
  readonly #bundles = new Map<BundleName, VectorIndex>();
  readonly #joint: VectorIndex | undefined;
  /** The directions of an entry or of a query behind one another; indexes copy what they take. */
  readonly #joined: Float32Array;

  constructor(
    private readonly config: StoreConfig,
    private readonly indexed: Indexed,
    saved: SavedGraphs = {},
  ) {
    this.#joined = new Float32Array(this.#width(BUNDLES));
    if (config.fusedWeights) {
      this.#joint = this.#empty(BUNDLES);
      this.#fill('joint', this.#joint, saved.joint);
    } else for (const bundle of BUNDLES) this.#make(bundle, saved[bundle]);
  }

  /** The graphs that answer searches, but for those of single bundles beside a joint one. */
  saved(): SavedGraphs {
    const kept: [GraphName, VectorIndex][] = this.#joint ? [['joint', this.#joint]] : [...this.#bundles];
    return Object.fromEntries(kept.map(([name, index]) => [name, index.saved?.()]));
  }

  /** The index of a bundle. @throws InputError for a name that is none. */
  of(bundle: BundleName): VectorIndex {
    const known = this.#bundles.get(bundle);
    if (known) return known;
    if (!BUNDLES.includes(bundle)) {
      throw new InputError(`A bundle is named time, topic or ctx, not '${String(bundle)}'.`);
    }
    return this.#make(bundle);
  }

  #make(bundle: BundleName, saved?: SavedGraph): VectorIndex {
    const made = this.#empty([bundle]);
    this.#fill(bundle, made, saved);
    this.#bundles.set(bundle, made);
    return made;
  }

  #fill(name: GraphName, index: VectorIndex, saved: SavedGraph | undefined): void {
    if (saved && index.restore) index.restore(saved, this.#vectors(name));
    else for (const [mid, vector] of this.#vectors(name)) index.insert(mid, vector);
  }

  /** What the index of a bundle, or the joint one, is over. */
  *#vectors(name: GraphName): IterableIterator<[number, Float32Array]> {
    for (const entry of this.indexed.entries()) {
      yield [entry.mid, name === 'joint' ? this.#join(entry) : entry[`${name}Dirn`]];
    }
  }

  insert(mid: number, directions: Directions): void {
    for (const [bundle, index] of this.#bundles) index.insert(mid, directions[`${bundle}Dirn`]);
    this.#joint?.insert(mid, this.#join(directions));
  }

  /** @param changed bundles whose direction is another one now */
  update(mid: number, directions: Directions, changed: readonly BundleName[]): void {
    for (const bundle of changed) this.#bundles.get(bundle)?.update(mid, directions[`${bundle}Dirn`]);
    if (changed.length > 0) this.#joint?.update(mid, this.#join(directions));
  }

  remove(mid: number): void {
    for (const index of this.#bundles.values()) index.remove(mid);
    this.#joint?.remove(mid);
  }

  /** Ids that are near a fused query, so many of the joint index or of each bundle. */
  candidates(asked: readonly AskedBundle[], count: number): Iterable<number> {
    const ids = (hits: readonly SearchHit[]) => hits.map(({ id }) => id);
    const joint = this.#joint;
    // Where no bundle counts there is no joint direction to look along.
    if (joint && asked.some(({ weight }) => weight !== 0)) {
      return ids(joint.search(this.#joinQuery(asked), count, jointEf(joint.size)));
    }
    return new Set(asked.flatMap(({ bundle, unit }) => ids(this.of(bundle).search(unit, count))));
  }

  /** Everything inside that is inconsistent, or that disagrees with the given ids. */
  verify(ids: () => Iterable<number>): string[] {
    const problems = [...this.#bundles].flatMap(([bundle, index]) =>
      index.verify(ids()).map((problem) => `index of ${bundle}: ${problem}`),
    );
    const joint = this.#joint?.verify(ids()) ?? [];
    return problems.concat(joint.map((problem) => `joint index: ${problem}`));
  }

  #join(directions: Directions): Float32Array {
    return this.#laidOut((bundle) => ({
      direction: directions[`${bundle}Dirn`],
      factor: Math.sqrt(this.#weights[bundle]),
    }));
  }

  /** A query whose weights need not be those of the index: what its bundles count more, its directions are longer. */
  #joinQuery(asked: readonly AskedBundle[]): Float32Array {
    return this.#laidOut((bundle) => {
      const own = asked.find((one) => one.bundle === bundle);
      return own && { direction: own.unit, factor: own.weight / Math.sqrt(this.#weights[bundle]) };
    });
  }

  /** Directions times their factors behind one another; zeros for a bundle that has none. */
  #laidOut(
    of: (bundle: BundleName) => { direction: ArrayLike<number>; factor: number } | undefined,
  ): Float32Array {
    const joined = this.#joined.fill(0);
    let at = 0;
    for (const bundle of BUNDLES) {
      const { direction, factor } = of(bundle) ?? { direction: [], factor: 0 };
      for (let i = 0; i < direction.length; i++) joined[at + i] = factor * direction[i]!;
      at += this.#size(bundle);
    }
    return joined;
  }

  get #weights(): Required<FusedWeights> {
    return this.config.fusedWeights!;
  }

  #size(bundle: BundleName): number {
    return coordinateSize(`${bundle}Dirn`, this.config);
  }

  #width(bundles: readonly BundleName[]): number {
    return bundles.reduce((sum, bundle) => sum + this.#size(bundle), 0);
  }

  #empty(bundles: readonly BundleName[]): VectorIndex {
    const { config } = this;
    const defaults = modeDefaults[config.mode];
    return createIndex(config.indexKind ?? defaults.indexKind, this.#width(bundles), {
      treeK: config.treeK,
      treeMaxLeaf: config.treeMaxLeaf,
      beam: config.retrievalBeam,
      scoring: config.treeScoring ?? defaults.treeScoring,
    });
  }
}
