import { readBytes, writeFileAtomically } from '@palimpsest/base';
import { type KakeyaConfig, type KakeyaConfigInput, kakeyaConfig } from '../config.js';
import { expect } from '../errors.js';
import { expectInteger, expectVector } from '../linalg/checks.js';
import { type FloatArray, matrixFromRows } from '../linalg/matrix.js';
import { Reservoir } from '../registry/reservoir.js';
import { KakeyaSet } from '../set/kakeya-set.js';
import type { CompressedVec } from '../set/record.js';
import type { SetStats } from '../set/set-stats.js';
import type { EntryId } from '../set/single-set-codec.js';
import { decodeKakeyaFile, encodeKakeyaFile, fromFile, storedVector, TensorReader } from './kakeya-file.js';
import { pieces, readRecords, writeRecords } from './record-file.js';
import { savedStore } from './saved-shapes.js';
import { readSet, type SetHeader, writeSet } from './set-file.js';

export interface CompressedStoreOptions extends KakeyaConfigInput {
  /** Width of every vector. */
  readonly dimension: number;
}

interface Saved {
  readonly dimension: number;
  readonly config: KakeyaConfig;
  readonly set: SetHeader | null;
  readonly recordIds: readonly EntryId[];
  readonly rawIds: readonly EntryId[];
  readonly sampleIds: readonly EntryId[];
  readonly position: { seen: number; random: number[] };
}

/** Suffix of the file that lies next to a model. */
const SUFFIX = '.kakeya';

/**
 * A map from ids to vectors that compresses itself: raw until kakeyaMinEntries, then records only, with the skeleton
 * learned anew at every doubling. A write encodes one entry, and a changed entry is encoded again at once.
 */
export class CompressedStore {
  readonly dimension: number;
  readonly config: KakeyaConfig;
  #set: KakeyaSet;
  readonly #raw = new Map<EntryId, Float32Array>();
  readonly #records = new Map<EntryId, CompressedVec>();
  readonly #reservoir: Reservoir<readonly [EntryId, Float32Array]>;
  #nextBuild: number;

  constructor(options: CompressedStoreOptions) {
    const { dimension, ...config } = options;
    expectInteger(dimension, 1, 'The dimension of a compressed store');
    this.dimension = dimension;
    this.config = kakeyaConfig(config);
    this.#set = this.#newSet();
    this.#reservoir = new Reservoir(this.config.reservoirSize, this.config.seed);
    this.#nextBuild = this.config.kakeyaMinEntries;
  }

  /** True once entries are held as records. */
  get isCompressed(): boolean {
    return this.#set.isActive;
  }
  get size(): number {
    return this.#raw.size + this.#records.size;
  }
  has(id: EntryId): boolean {
    return this.#raw.has(id) || this.#records.has(id);
  }
  keys(): EntryId[] {
    return [...this.#raw.keys(), ...this.#records.keys()];
  }

  /** Adds or replaces a vector. Throws on a wrong width or non-finite numbers, with nothing changed. */
  set(id: EntryId, v: FloatArray): void {
    expectVector(v, this.dimension, `The vector of entry ${id}`);
    const copy = Float32Array.from(v);
    if (this.#set.isActive) this.#records.set(id, this.#set.encode(copy));
    else this.#raw.set(id, copy);
    this.#forgetSample(id);
    this.#reservoir.offer([id, copy]);
    if (this.size >= this.#nextBuild) this.refresh();
  }

  /** The vector, decoded where it is compressed, or null for an unknown id. */
  get(id: EntryId): Float32Array | null {
    const record = this.#records.get(id);
    if (record !== undefined) return this.#set.decode(record);
    return this.#raw.get(id)?.slice() ?? null;
  }

  /** True if the entry was there. */
  delete(id: EntryId): boolean {
    this.#forgetSample(id);
    return this.#raw.delete(id) || this.#records.delete(id);
  }

  /** Learns a new skeleton from raw samples and decoded entries, and encodes every entry with it. */
  refresh(): void {
    const ids = this.keys();
    const known = new Map(this.#reservoir.items);
    const rows = ids.map((id) => known.get(id) ?? this.get(id)!);
    const fresh = this.#newSet();
    const epoch = this.#set.epoch + 1;
    const axis = new Float64Array(this.dimension);
    axis[0] = 1;
    const vecs = matrixFromRows(rows, this.dimension);
    fresh.build(vecs, axis, { epoch });
    const records = fresh.encodeBatch(vecs);
    this.#set = fresh;
    this.#raw.clear();
    this.#records.clear();
    ids.forEach((id, i) => {
      this.#records.set(id, records[i]!);
    });
    while (this.#nextBuild <= this.size) this.#nextBuild *= 2;
  }

  /** Bytes before and after; the reservoir of raw samples comes on top. */
  stats(): SetStats & { readonly reservoirBytes: number } {
    const reservoirBytes = this.#set.isActive ? 4 * this.dimension * this.#reservoir.items.length : 0;
    return { ...this.#set.stats(this.#records.size), reservoirBytes };
  }

  /** Writes `<path>.kakeya` next to a model, atomically; returns that name. */
  async save(path: string): Promise<string> {
    const { header, tensors } = writeSet(this.#set, 'set/');
    const samples = this.#reservoir.items;
    const json: Saved = {
      dimension: this.dimension,
      config: this.config,
      set: header,
      recordIds: [...this.#records.keys()],
      rawIds: [...this.#raw.keys()],
      sampleIds: samples.map(([id]) => id),
      position: this.#reservoir.position(),
    };
    const all = {
      ...tensors,
      ...writeRecords([...this.#records.values()], 'records/'),
      raw: storedVector([...this.#raw.values()].flatMap((v) => [...v])),
      samples: storedVector(samples.flatMap(([, v]) => [...v])),
    };
    const target = path + SUFFIX;
    await writeFileAtomically(target, encodeKakeyaFile({ kind: 'compressed-store', json, tensors: all }));
    return target;
  }

  /** Reads what {@link save} wrote for `path`. Throws, naming the file, when it is torn or foreign. */
  static async load(path: string): Promise<CompressedStore> {
    const source = path + SUFFIX;
    const bytes = await readBytes(source);
    const { json, tensors } = decodeKakeyaFile<Saved>(bytes, 'compressed-store', source, savedStore);
    return fromFile(source, () => CompressedStore.#from(json, new TensorReader(tensors, source)));
  }

  static #from(json: Saved, reader: TensorReader): CompressedStore {
    const store = new CompressedStore({ ...json.config, dimension: json.dimension });
    if (json.set !== null) store.#set.restore(readSet(json.set, reader, 'set/', json.config));
    const records = readRecords(reader, 'records/');
    const { recordIds, rawIds } = json;
    expect(records.length === recordIds.length, () => {
      return `'recordIds' lists ${recordIds.length} entries, but there are ${records.length} records.`;
    });
    expect(new Set([...recordIds, ...rawIds]).size === recordIds.length + rawIds.length, () => {
      return "'recordIds' and 'rawIds' name an entry twice.";
    });
    expect(recordIds.length === 0 || json.set !== null, () => "'set' is null, but there are records.");
    for (const record of records) store.#set.expectOwn(record);
    json.recordIds.forEach((id, i) => {
      store.#records.set(id, records[i]!);
    });
    const vectors = (name: string, count: number) =>
      pieces(reader.floats(name), new Int32Array(count).fill(json.dimension));
    vectors('raw', json.rawIds.length).forEach((v, i) => {
      store.#raw.set(json.rawIds[i]!, v);
    });
    const samples = vectors('samples', json.sampleIds.length).map((v, i) => [json.sampleIds[i]!, v] as const);
    store.#reservoir.restore(samples, json.position);
    while (store.isCompressed && store.#nextBuild <= store.size) store.#nextBuild *= 2;
    return store;
  }

  #newSet(): KakeyaSet {
    return new KakeyaSet(0, 'ctx', ['vector'], this.config);
  }

  #forgetSample(id: EntryId): void {
    const at = this.#reservoir.items.findIndex(([other]) => other === id);
    if (at >= 0) this.#reservoir.items.splice(at, 1);
  }
}
