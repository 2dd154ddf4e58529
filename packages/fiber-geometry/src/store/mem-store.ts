import { InputError, readBytes, writeFileAtomically } from '@palimpsest/base';
import type { BundleName } from '../bundle.js';
import type { SearchHit, VectorIndex } from '../indexes/vector-index.js';
import { DirectionIndexes, type SavedGraphs } from './direction-indexes.js';
import {
  BUNDLES,
  COORDINATES,
  type CoordinateName,
  checkedCoordinate,
  checkPlainFields,
  type MemEntry,
  type NewEntry,
} from './entry.js';
import { entryToEvict } from './eviction.js';
import { type FusedHit, type FusedQuery, type FusedWeights, fuse, fuseAt, scoresAt } from './fused-search.js';
import { entryProblems, type InvariantRegistry, reconstructionProblems } from './invariants.js';
import { largeFields } from './large-fields.js';
import { type StoreConfig, type StoreConfigInput, storeConfig } from './store-config.js';
import { decodeStore, encodeStore, type HandleCodec } from './store-file.js';

export interface MemStoreOptions<Handle> {
  /** How handles are saved; plain handles need none. */
  readonly handleCodec?: HandleCodec<Handle>;
  /** Told about every entry that capacity drives out, just before it goes; if it throws, nothing changes. */
  readonly onEvict?: (entry: MemEntry<Handle>) => void;
}

export interface VerifyOptions {
  /** Original fields of an entry by id, where the caller still has them, to check the reconstruction for real. */
  readonly original?: (mid: number) => Readonly<Record<string, ArrayLike<number>>> | undefined;
}

/**
 * The memories, with indexes of their directions kept in step: one per bundle, or one over all (`fusedWeights`). Ids only grow
 * and are never reused. Every method checks its input first: after an error the store is as it was.
 */
export class MemStore<Handle = unknown> implements Iterable<MemEntry<Handle>> {
  readonly config: StoreConfig;
  readonly #options: MemStoreOptions<Handle>;
  readonly #entries = new Map<number, MemEntry<Handle>>();
  #indexes: DirectionIndexes;
  #nextMid = 0;

  /** @throws InputError naming a field of the configuration that is out of range. */
  constructor(config: StoreConfigInput = {}, options: MemStoreOptions<Handle> = {}) {
    this.config = storeConfig(config);
    this.#options = options;
    this.#indexes = this.#indexesOf();
  }

  /** Number of entries. */
  get length(): number {
    return this.#entries.size;
  }

  /** The index of a bundle's directions; the store keeps it in step, so look but do not change it. */
  index(bundle: BundleName): VectorIndex {
    return this.#indexes.of(bundle);
  }

  has(mid: number): boolean {
    return this.#entries.has(mid);
  }

  get(mid: number): MemEntry<Handle> | undefined {
    return this.#entries.get(mid);
  }

  /** Ids in rising order. */
  allMids(): number[] {
    return [...this.#entries.keys()];
  }

  /** Entries by rising id. */
  allEntries(): MemEntry<Handle>[] {
    return [...this.#entries.values()];
  }

  [Symbol.iterator](): Iterator<MemEntry<Handle>> {
    return this.#entries.values();
  }

  /**
   * Stores an entry under the next id and indexes its directions; a full store evicts one entry first.
   * @returns the id.
   * @throws InputError naming a field that is missing, misshapen, not finite or not of unit length.
   */
  add(entry: NewEntry<Handle>): number {
    const checked = this.#checked(entry, this.#nextMid);
    const leaving = this.#leaving(checked.ts);
    // Told before anything changes, so that a callback that throws leaves the store as it was.
    for (const entry of leaving) this.#options.onEvict?.(entry);
    for (const { mid } of leaving) this.remove(mid);
    // A callback may have added entries of its own.
    const mid = this.#nextMid++;
    this.#insert({ ...checked, mid });
    return mid;
  }

  /** The entries that must go for one more to come at time `now`. */
  #leaving(now: number): MemEntry<Handle>[] {
    const { capacity, evictionPolicy, evictionTau } = this.config;
    if (capacity === undefined || this.length < capacity) return [];
    const staying = new Set(this.allEntries());
    const leaving: MemEntry<Handle>[] = [];
    while (staying.size >= capacity) {
      const weakest = entryToEvict(staying, evictionPolicy, now, evictionTau)!;
      staying.delete(weakest);
      leaving.push(weakest);
    }
    return leaving;
  }

  /** Takes an entry out of the store and the indexes; says whether it was there. */
  remove(mid: number): boolean {
    if (!this.#entries.delete(mid)) return false;
    this.#indexes.remove(mid);
    return true;
  }

  /**
   * Changes fields of an entry, counts its version up and indexes directions that changed. A handle, or a field of the
   * caller's own, that is undefined is taken off the entry.
   * @throws InputError for an unknown id or a field that `add` would refuse.
   */
  update(mid: number, patch: Partial<NewEntry<Handle>>): MemEntry<Handle> {
    const entry = this.#known(mid);
    checkPlainFields(patch);
    const coordinates = this.#checkedCoordinates(
      patch,
      COORDINATES.filter((name) => name in patch),
    );
    const { mid: _mid, version: _version, ...rest } = patch as Partial<MemEntry<Handle>>;
    Object.assign(entry, rest, coordinates, { version: entry.version + 1 });
    for (const [name, value] of Object.entries(rest)) if (value === undefined) delete entry[name];
    const changed = BUNDLES.filter((bundle) => coordinates[`${bundle}Dirn`]);
    this.#indexes.update(mid, entry, changed);
    return entry;
  }

  /** Notes a use at time `now`. @throws InputError for an unknown id or a time that is not finite. */
  touch(mid: number, now: number): void {
    const entry = this.#known(mid);
    if (!Number.isFinite(now)) throw new InputError(`A time must be a finite number, but is ${now}.`);
    entry.last = now;
    entry.cnt += 1;
  }

  /** Forgets all entries; ids keep growing. */
  clear(): void {
    this.#entries.clear();
    this.#indexes = this.#indexesOf();
  }

  /** The k entries of one bundle whose directions are closest to the query, best first, with true cosines. */
  search(bundle: BundleName, query: ArrayLike<number>, k = this.config.retrievalTopk): SearchHit[] {
    return this.index(bundle).search(query, k);
  }

  /**
   * The k best of the three bundles together: weighted sums of cosines over what the indexes find near, each bundle's, or with
   * `fusedWeights` that over all of them.
   * @param weights default 1 each; bundles without a query do not count.
   */
  searchFused(query: FusedQuery, weights: FusedWeights = {}, k = this.config.retrievalTopk): FusedHit[] {
    return fuse(query, weights, k, {
      size: this.length,
      ids: () => this.#entries.keys(),
      candidates: (asked, count) => this.#indexes.candidates(asked, count),
      directions: (mid) => this.get(mid)!,
    });
  }

  /**
   * Given entries as `searchFused` has them, in their order.
   * @param weights default 1 each; bundles without a query do not count.
   * @throws InputError for an id that is not there.
   */
  scoreFused(query: FusedQuery, weights: FusedWeights, ids: Iterable<number>): FusedHit[] {
    return fuseAt(query, weights, ids, this.#scored);
  }

  /**
   * The scores alone of `scoreFused`, without an object for each entry.
   * @returns weighted sums of cosines, one for each id, in their order
   * @throws InputError for an id that is not there.
   */
  fusedScores(query: FusedQuery, weights: FusedWeights, ids: readonly number[]): Float64Array {
    return scoresAt(query, weights, ids, this.#scored);
  }

  readonly #scored = {
    directions: (mid: number): MemEntry<Handle> => {
      const entry = this.get(mid);
      if (!entry) throw new InputError(`There is no memory ${mid}.`);
      return entry;
    },
  };

  /**
   * Everything that is wrong, empty when all is well: coordinates (invariant 1), raw large fields (2), agreement of store
   * and indexes; with a registry its own invariants (3, and 4 when axes are given) and reconstruction errors (5).
   */
  verifyConsistency(
    registry?: InvariantRegistry<Handle>,
    axes?: Readonly<Record<string, ArrayLike<number>>>,
    { original }: VerifyOptions = {},
  ): string[] {
    const messages = this.allEntries().flatMap((entry) => [
      ...entryProblems(entry, this.config),
      ...reconstructionProblems(entry, this.config.kakeyaReconstructionTol, registry, original),
    ]);
    messages.push(...this.#indexes.verify(() => this.#entries.keys()));
    return registry ? messages.concat(registry.verifyInvariants(this.length, axes)) : messages;
  }

  /** @throws InputError naming the first raw large array on an entry and its shape. */
  assertAllLargeFieldsCompressed(): void {
    for (const entry of this) {
      const [first] = largeFields(entry, this.config.compressionMinDim, this.config.mode === 'improved');
      if (!first) continue;
      throw new InputError(
        `Entry ${entry.mid} holds the raw field '${first.path}' of shape [${first.shape.join(', ')}]; compress it and keep its handle.`,
      );
    }
  }

  /** The store as a file's bytes. @throws InputError for a value that cannot be stored. */
  toBytes(): Uint8Array {
    const contents = {
      config: this.config,
      nextMid: this.#nextMid,
      entries: this.allEntries(),
      graphs: this.#indexes.saved(),
    };
    return encodeStore(contents, this.config, this.#options.handleCodec);
  }

  /**
   * A store from the bytes of `toBytes`.
   * @throws InputError naming `source` when they are torn, altered, of another kind, or hold entries that are not valid.
   */
  static fromBytes<Handle = unknown>(
    bytes: Uint8Array,
    options: MemStoreOptions<Handle> = {},
    source = 'This data',
  ): MemStore<Handle> {
    const { config, nextMid, entries, graphs } = decodeStore(bytes, source);
    const store = naming(`${source}: 'config'`, () => new MemStore<Handle>(config, options));
    let last = -1;
    for (const fields of entries) {
      const mid = fields.mid as number;
      if (!(Number.isInteger(mid) && mid > last && mid < nextMid)) {
        throw new InputError(
          `${source} is damaged: the id ${String(mid)} does not fit between ${last} and ${nextMid}.`,
        );
      }
      last = mid;
      const { handleCodec } = options;
      naming(`${source}: entry ${mid}`, () => {
        if (handleCodec && fields.kakeyaHandle !== undefined) {
          fields.kakeyaHandle = handleCodec.fromPlain(fields.kakeyaHandle);
        }
        store.#entries.set(mid, store.#checked(fields as unknown as NewEntry<Handle>, mid));
      });
    }
    store.#indexes = naming(source, () => store.#indexesOf(graphs));
    store.#nextMid = nextMid;
    return store;
  }

  /**
   * Writes the store under a temporary name, flushes it and renames it: interrupted at any byte, the former file stays.
   * @throws InputError when the file cannot be written.
   */
  async save(path: string): Promise<void> {
    await writeFileAtomically(path, this.toBytes());
  }

  /** Reads a store. @throws InputError naming the file when it is missing, torn, altered or foreign. */
  static async load<Handle = unknown>(
    path: string,
    options: MemStoreOptions<Handle> = {},
  ): Promise<MemStore<Handle>> {
    return MemStore.fromBytes<Handle>(await readBytes(path), options, path);
  }

  #insert(entry: MemEntry<Handle>): void {
    this.#entries.set(entry.mid, entry);
    this.#indexes.insert(entry.mid, entry);
  }

  #known(mid: number): MemEntry<Handle> {
    const entry = this.get(mid);
    if (entry) return entry;
    throw new InputError(`There is no memory entry ${String(mid)}.`);
  }

  #checked(entry: NewEntry<Handle>, mid: number): MemEntry<Handle> {
    if (typeof entry !== 'object' || entry === null)
      throw new InputError('A memory entry must be an object.');
    checkPlainFields(entry);
    const ts = entry.ts ?? 0;
    const defaults = { surprise: 0, ts, last: ts, cnt: 0, version: 0, sourceText: '' };
    const lists = {
      contentTokenIds: [...((entry.contentTokenIds as number[] | undefined) ?? [])],
      rareKeywordIds: [...((entry.rareKeywordIds as number[] | undefined) ?? [])],
    };
    const given = Object.values(entry).includes(undefined)
      ? Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== undefined))
      : entry;
    const coordinates = this.#checkedCoordinates(entry, COORDINATES);
    return { ...defaults, ...given, ...lists, ...coordinates, mid } as unknown as MemEntry<Handle>;
  }

  #checkedCoordinates(
    fields: Readonly<Record<string, unknown>>,
    names: readonly CoordinateName[],
  ): Partial<Record<CoordinateName, Float32Array>> {
    const strict = this.config.strictShapeChecks;
    return Object.fromEntries(
      names.map((name) => [name, checkedCoordinate(fields[name], name, this.config, strict)]),
    );
  }

  /** Indexes of the entries that are there. @param saved graphs of these entries, which need not be built anew */
  #indexesOf(saved?: SavedGraphs): DirectionIndexes {
    return new DirectionIndexes(this.config, { entries: () => this.#entries.values() }, saved);
  }
}

/** Puts the place before whatever goes wrong there. */
function naming<T>(place: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw new InputError(`${place}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
