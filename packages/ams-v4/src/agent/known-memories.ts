import { InputError } from '@palimpsest/base';
import { Bm25, type ScoredText } from '../retrieval/bm25.js';
import { type MemoryFilter, type MemoryRecord, matches } from './record.js';

/** A memory, and its id in the language model's memory where there is one. */
export interface KnownMemory {
  readonly record: MemoryRecord;
  readonly mid: number | undefined;
}

/** A text for comparison: spaces and case do not count. */
const normal = (text: string): string => text.trim().replaceAll(/\s+/g, ' ').toLowerCase();

const keyOf = ({ namespace, text }: Pick<MemoryRecord, 'namespace' | 'text'>): string =>
  JSON.stringify([namespace, normal(text)]);

/** Memories by id, by text and by words; what is put in, changed or taken out costs the same however many there are. */
export class KnownMemories {
  readonly #byId = new Map<number, KnownMemory>();
  readonly #idOf = new Map<number, number>();
  readonly #byText = new Map<string, Set<number>>();
  readonly #words = new Bm25();

  get size(): number {
    return this.#byId.size;
  }

  get(id: number): KnownMemory | undefined {
    return this.#byId.get(id);
  }

  /** @throws InputError for an id that is not there. */
  require(id: number): KnownMemory {
    const known = this.#byId.get(id);
    if (!known) throw new InputError(`There is no memory ${id}.`);
    return known;
  }

  /** The memory that has an id in the language model's memory. */
  ofModel(mid: number): MemoryRecord {
    return this.require(this.#idOf.get(mid)!).record;
  }

  /** Id of a memory of the namespace with the same text but for spaces and case. */
  sameText(namespace: string, text: string): number | undefined {
    const [first] = this.#byText.get(keyOf({ namespace, text })) ?? [];
    return first;
  }

  all(): KnownMemory[] {
    return [...this.#byId.values()];
  }

  /** Memories that a filter means, in the order of their ids. */
  list(filter: MemoryFilter): MemoryRecord[] {
    return this.all()
      .map(({ record }) => record)
      .filter((record) => matches(record, filter))
      .sort((a, b) => a.id - b.id);
  }

  /** The best memories that a filter means by BM25, at most k. */
  best(query: string, k: number, filter: MemoryFilter): ScoredText[] {
    return this.#words.best(query, k, (id) => matches(this.require(id).record, filter));
  }

  /** Takes a memory in; one with its id makes room for it, but keeps its place among the others. */
  put(record: MemoryRecord, mid: number | undefined): void {
    const { id } = record;
    this.#unlist(id);
    this.#byId.set(id, { record, mid });
    if (mid !== undefined) this.#idOf.set(mid, id);
    const key = keyOf(record);
    this.#byText.set(key, (this.#byText.get(key) ?? new Set()).add(id));
    this.#words.add(id, record.text);
  }

  /** Counts memories as used. */
  use(ids: readonly number[], now: number): void {
    for (const id of ids) {
      const known = this.#byId.get(id);
      if (!known) continue;
      const { record, mid } = known;
      this.#byId.set(id, { record: { ...record, lastUsed: now, uses: record.uses + 1 }, mid });
    }
  }

  drop(id: number): void {
    this.#unlist(id);
    this.#byId.delete(id);
  }

  /** Takes a memory out of what finds it. */
  #unlist(id: number): void {
    const known = this.#byId.get(id);
    if (!known) return;
    if (known.mid !== undefined) this.#idOf.delete(known.mid);
    const key = keyOf(known.record);
    const alike = this.#byText.get(key);
    if (alike?.delete(id) && alike.size === 0) this.#byText.delete(key);
    this.#words.remove(id);
  }
}
