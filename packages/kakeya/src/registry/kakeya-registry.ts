import { readBytes, writeFileAtomically } from '@palimpsest/base';
import { type KakeyaConfig, type KakeyaConfigInput, kakeyaConfig } from '../config.js';
import { expect } from '../errors.js';
import { type RegistrySnapshot, readRegistry, registryBytes } from '../files/registry-file.js';
import { expectFiniteRows } from '../linalg/checks.js';
import { type FloatArray, type Matrix, matrix } from '../linalg/matrix.js';
import type { KakeyaSet } from '../set/kakeya-set.js';
import type { CompressedVec } from '../set/record.js';
import { BuildHistory } from './build-history.js';
import { brokenInvariants } from './invariants.js';
import { handleOf, type KakeyaHandle } from './kakeya-handle.js';
import { type MemorySample, type PerBundle, rowsOfSamples, sampleAt } from './memory-samples.js';
import { rebuildIsDue, updatedMean } from './rebuild-policy.js';
import {
  type BundleAxes,
  buildSets,
  concatenateFields,
  type EntryRows,
  type OrientedMap,
  type SetsBuild,
} from './registry-build.js';
import { type RegistryStats, registryStats } from './registry-stats.js';
import { Reservoir } from './reservoir.js';
import { checkRouting, defaultRouting, mapKey, type RoutingEntry } from './routing.js';

export interface RegistryBuildOptions {
  /** Base-to-field maps [dBase, D] by `owner::field+field`; used as they are. */
  readonly maps?: Readonly<Record<string, Matrix>>;
  /** Base coordinates [N, dBase] of the same rows, for ridge maps. */
  readonly baseCoords?: PerBundle<Matrix>;
}

/** Several Kakeya sets, which fields go to which, and the codes of whole memories (DERIVATION.md, "Registry, epochs and files"). */
export class KakeyaRegistry {
  readonly config: KakeyaConfig;
  #routing: readonly RoutingEntry[] = defaultRouting;
  #axes: BundleAxes | null = null;
  #builtAt = 0;
  #encoded = 0;
  #means: (number | null)[] = [];
  #skipped: number[] = [];
  readonly #unrouted = new Set<string>();
  readonly #history: BuildHistory;
  readonly #reservoir: Reservoir<MemorySample>;

  constructor(config: KakeyaConfigInput = {}) {
    this.config = kakeyaConfig(config);
    this.#history = new BuildHistory(this.config.mode === 'parity');
    this.#reservoir = new Reservoir(this.config.reservoirSize, this.config.seed);
  }

  get routing(): readonly RoutingEntry[] {
    return this.#routing;
  }
  /** Sets of the current build; inactive ones keep their index. Empty before the first build. */
  get sets(): readonly KakeyaSet[] {
    return this.#history.sets;
  }
  /** Number of the current build; 0 before the first. */
  get epoch(): number {
    return this.#history.epoch;
  }

  /** Columns of every field inside a set's concatenation, or null for an inactive set. */
  offsetsOf(setIdx: number): Readonly<Record<string, readonly [number, number]>> | null {
    return this.#history.current?.offsets[setIdx] ?? null;
  }

  /** Replaces the routing. Throws once a set is active, and on fewer than two sets, unknown owners or empty fields. */
  defineSets(routing: readonly RoutingEntry[]): void {
    expect(!this.sets.some((set) => set.isActive), () => {
      return 'The routing cannot change once a set is active; define it before the first build.';
    });
    checkRouting(routing);
    this.#routing = routing.map((entry) => ({ owner: entry.owner, fields: [...entry.fields] }));
    this.#history.current = null;
  }

  /**
   * Builds every set from corpora [N, d] and bundle axes. A set with a missing field stays inactive. Throws on
   * non-finite numbers, unequal N within a set or wrong axes, and then keeps the previous build. In improved mode the
   * previous skeletons stay readable until {@link migrate}.
   */
  build(
    corpus: Readonly<Record<string, Matrix>>,
    axes: BundleAxes,
    options: RegistryBuildOptions = {},
  ): void {
    for (const [field, rows] of Object.entries(corpus)) expectFiniteRows(rows, `Field ${field}`);
    const given = Object.entries(options.maps ?? {});
    const maps = new Map<string, OrientedMap>(given.map(([key, map]) => [key, { map, origin: 'given' }]));
    const built = this.#buildSets(axes, maps, (entry) => {
      if (entry.fields.some((field) => corpus[field] === undefined)) return null;
      const found = concatenateFields(entry.fields, corpus);
      const base = options.baseCoords?.[entry.owner];
      return base === undefined ? found : { ...found, base };
    });
    const n = Math.max(0, ...Object.values(corpus).map((rows) => rows.rows));
    this.#adopt(built, axes, n);
    this.#reservoir.clear();
    if (this.config.mode === 'parity') return;
    for (let i = 0; i < n; i++) this.#reservoir.offer(sampleAt(i, corpus, options.baseCoords ?? {}));
  }

  /**
   * Records of one memory: every active set whose fields are all present. Sets with missing fields are skipped and
   * counted. Base coordinates let a rebuild learn its maps anew. Throws on bad vectors and then changes nothing.
   */
  encodeMemoryFields(
    fields: Readonly<Record<string, FloatArray>>,
    baseCoords: PerBundle<FloatArray> = {},
  ): KakeyaHandle {
    const rows = Object.entries(fields).map(([name, v]) => [name, matrix(1, v.length, v)] as const);
    const bases = Object.entries(baseCoords).map(([name, v]) => [name, matrix(1, v.length, v)] as const);
    return this.encodeMany(Object.fromEntries(rows), Object.fromEntries(bases))[0]!;
  }

  /** Handles of n memories given as field matrices [n, d]: one pass per set. */
  encodeMany(fields: Readonly<Record<string, Matrix>>, baseCoords: PerBundle<Matrix> = {}): KakeyaHandle[] {
    const counts = Object.values(fields).map((rows) => rows.rows);
    const n = counts[0] ?? 1;
    expect(
      counts.every((count) => count === n),
      () => {
        return `encodeMany: the fields have ${counts.join(', ')} rows; every field needs one row per memory.`;
      },
    );
    for (const [name, rows] of Object.entries(fields)) expectFiniteRows(rows, `Field ${name}`);
    const perSet = this.sets.map((set) => {
      const complete = set.isActive && set.compressedFields.every((field) => fields[field] !== undefined);
      return complete ? set.encodeBatch(concatenateFields(set.compressedFields, fields).rows) : null;
    });
    this.#noteEncoded(perSet, fields, baseCoords, n);
    return Array.from({ length: n }, (_, i) => {
      const records = perSet.flatMap((list) => (list === null ? [] : [list[i]!]));
      return this.#handle(records);
    });
  }

  /**
   * One field of a memory, or null when the field or the preferred set is absent. Without a preference: the record
   * of smallest error in that field (parity mode: of the lowest set). Throws on a record of a forgotten build.
   */
  decodeField(handle: KakeyaHandle, field: string, preferredSetIdx?: number): Float32Array | null {
    const records = handle.entries[field];
    if (records === undefined || records.length === 0) return null;
    const record =
      preferredSetIdx !== undefined
        ? handle.get(field, preferredSetIdx)
        : this.config.mode === 'parity'
          ? records[0]!
          : this.#history.best(records, field);
    return record === null ? null : this.#history.decode(record, field);
  }

  /**
   * Messages about broken invariants. 2: a wide field that no set takes; 3: fewer than two active sets from
   * kakeyaMinEntries entries; 4: alignment error, and for ridge maps a fidelity below 0.9; 5: new records that miss
   * the reconstruction tolerance. Parity mode checks 3 and the error of 4, as the reference does.
   */
  verifyInvariants(n: number, axes?: BundleAxes): string[] {
    return brokenInvariants({
      config: this.config,
      routing: this.#routing,
      build: this.#history.current,
      n,
      axes,
      means: this.#means,
      unrouted: this.#unrouted,
    });
  }

  /**
   * Rebuilds from the reservoir (and, if given, the decoded rows of handles) when the policy says so; true when it
   * did. Handles then need {@link migrate}. Parity mode never rebuilds.
   */
  rebuildIfNeeded(n: number, handles: readonly KakeyaHandle[] = []): boolean {
    const { current } = this.#history;
    if (current === null || this.#axes === null) return false;
    const { breakEvenN } = this.stats(n);
    if (!rebuildIsDue(this.config, { n, builtAt: this.#builtAt, means: this.#means, breakEvenN }))
      return false;
    const decoded = handles.map((handle) => ({ fields: this.#history.decodeAll(handle), base: {} }));
    const samples = [...this.#reservoir.items, ...decoded];
    if (samples.length < 2) return false;
    const kept = new Map([...current.maps].filter(([, { origin }]) => origin !== 'ridge'));
    const built = this.#buildSets(this.#axes, kept, (entry) => {
      const rows = rowsOfSamples(entry, samples);
      const old = current.maps.get(mapKey(entry));
      // Without base coordinates a ridge map cannot be learned again, so the old one stays.
      if (rows !== null && rows.base === undefined && old !== undefined) kept.set(mapKey(entry), old);
      return rows;
    });
    this.#adopt(built, this.#axes, n);
    return true;
  }

  /**
   * Handles with every record re-encoded by the current build; error at most the old error plus the new. Afterwards
   * older skeletons are dropped, and records of handles that were not given can no longer be decoded. Throws, with
   * nothing changed, when a record's set is no longer active.
   */
  migrate(handles: readonly KakeyaHandle[]): KakeyaHandle[] {
    const migrated = handles.map((handle) =>
      this.#handle(handle.records().map((record) => this.#history.reencoded(record))),
    );
    this.#history.retired.clear();
    return migrated;
  }

  /** Bytes before and after for `n` memories; default: those encoded since the build. */
  stats(n = this.#encoded): RegistryStats {
    const { current } = this.#history;
    const sets = this.sets.map((set, setIdx) => ({
      ...set.stats(n),
      owner: set.ownerBundleName,
      mapOrigin: current?.maps.get(mapKey(this.#routing[setIdx]!))?.origin ?? null,
      fidelity: current?.reports[setIdx]?.fidelity ?? null,
      solveError: current?.reports[setIdx]?.solveError ?? null,
      meanRelErr: this.#means[setIdx] ?? null,
      skipped: this.#skipped[setIdx] ?? 0,
    }));
    return registryStats(sets, n, current, this.#reservoir.items);
  }

  /** Writes everything, and optionally the handles of the caller's memories, to one safetensors file, atomically. */
  async save(path: string, handles: readonly KakeyaHandle[] = []): Promise<void> {
    await writeFileAtomically(path, registryBytes(this.#snapshot(), handles));
  }

  /** A registry from a saved file. Throws, naming the file, when it is torn, foreign or of another kind. */
  static async load(path: string): Promise<KakeyaRegistry> {
    return (await KakeyaRegistry.loadWithHandles(path)).registry;
  }

  /** The registry and the handles that were saved with it. */
  static async loadWithHandles(path: string): Promise<{ registry: KakeyaRegistry; handles: KakeyaHandle[] }> {
    const { snapshot, handles } = readRegistry(await readBytes(path), path);
    const registry = new KakeyaRegistry(snapshot.config);
    registry.#restore(snapshot);
    return { registry, handles };
  }

  #buildSets(
    axes: BundleAxes,
    maps: ReadonlyMap<string, OrientedMap>,
    rowsFor: (entry: RoutingEntry) => EntryRows | null,
  ): SetsBuild {
    const epoch = this.#history.epoch + 1;
    return buildSets({ routing: this.#routing, config: this.config, axes, maps, epoch, rowsFor });
  }

  #adopt(built: SetsBuild, axes: BundleAxes, n: number): void {
    this.#history.adopt(built);
    this.#axes = { time: axes.time.slice(), topic: axes.topic.slice(), ctx: axes.ctx.slice() };
    this.#builtAt = n;
    this.#encoded = 0;
    this.#means = built.sets.map(() => null);
    this.#skipped = built.sets.map(() => 0);
    this.#unrouted.clear();
  }

  #handle(records: readonly CompressedVec[]): KakeyaHandle {
    return handleOf(records, (setIdx) => this.#routing[setIdx]!.fields);
  }

  /** Drift, skipped sets, unrouted fields and the reservoir: noted only after every set has encoded. */
  #noteEncoded(
    perSet: readonly (readonly CompressedVec[] | null)[],
    fields: Readonly<Record<string, Matrix>>,
    base: PerBundle<Matrix>,
    n: number,
  ): void {
    this.#encoded += n;
    const covered = new Set<string>();
    perSet.forEach((records, setIdx) => {
      if (records === null) {
        this.#skipped[setIdx] = (this.#skipped[setIdx] ?? 0) + n;
        return;
      }
      for (const field of this.#routing[setIdx]!.fields) covered.add(field);
      for (const { relErr } of records)
        this.#means[setIdx] = updatedMean(this.#means[setIdx] ?? null, relErr);
    });
    if (this.config.mode === 'parity') return;
    for (const [name, rows] of Object.entries(fields)) {
      if (rows.cols >= this.config.compressionMinDim && !covered.has(name)) this.#unrouted.add(name);
    }
    for (let i = 0; i < n; i++) this.#reservoir.offer(sampleAt(i, fields, base));
  }

  #snapshot(): RegistrySnapshot {
    return {
      config: this.config,
      routing: this.#routing,
      axes: this.#axes,
      epoch: this.#history.epoch,
      builtAt: this.#builtAt,
      encoded: this.#encoded,
      means: this.#means,
      skipped: this.#skipped,
      unrouted: [...this.#unrouted],
      current: this.#history.current,
      retired: this.#history.retired,
      samples: this.#reservoir.items,
      position: this.#reservoir.position(),
    };
  }

  #restore(snapshot: RegistrySnapshot): void {
    this.#routing = snapshot.routing;
    this.#axes = snapshot.axes;
    this.#history.epoch = snapshot.epoch;
    this.#history.current = snapshot.current;
    for (const [epoch, build] of snapshot.retired) this.#history.retired.set(epoch, build);
    this.#builtAt = snapshot.builtAt;
    this.#encoded = snapshot.encoded;
    this.#means = [...snapshot.means];
    this.#skipped = [...snapshot.skipped];
    for (const field of snapshot.unrouted) this.#unrouted.add(field);
    this.#reservoir.restore(snapshot.samples, snapshot.position);
  }
}
