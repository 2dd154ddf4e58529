import { InputError } from '@palimpsest/base';
import { SCORED_AT_ONCE } from '../conversation/fused-search.js';
import type { KeyValueMemory } from '../conversation/key-value-memory.js';
import type { StoredMemory } from '../conversation/memory-records.js';
import { gate } from '../retrieval/gate.js';
import type {
  AddOptions,
  AgentMemoryOptions,
  AskedAnswer,
  AskOptions,
  MemoryHit,
  Recalled,
  SearchOptions,
} from './calls.js';
import type { JournalEvent } from './journal.js';
import { KnownMemories } from './known-memories.js';
import { MemoryFolder } from './memory-folder.js';
import { type MemoryFilter, type MemoryRecord, matches } from './record.js';
import { type PackedMemory, packStored, unpackStored } from './stored-memory.js';
import { Turns } from './turns.js';

const DEFAULT_NAMESPACE = 'default';
/** Memories that are looked at for each that is wanted, as a filter may mean few of them; and again as many times more. */
const MORE = 8;

/**
 * What an agent remembers, with a language model or by words alone. Calls may be made side by side: each runs when those before it are
 * done, so that none works on what another one is changing.
 * @see createAgentMemory
 */
export class AgentMemory {
  readonly #known = new KnownMemories();
  readonly #turns = new Turns();
  readonly #now: () => number;
  #folder: MemoryFolder | undefined;
  #nextId = 0;

  private constructor(
    private readonly model: KeyValueMemory | undefined,
    private readonly options: AgentMemoryOptions,
  ) {
    this.#now = options.now ?? Date.now;
  }

  static async open(model: KeyValueMemory | undefined, options: AgentMemoryOptions): Promise<AgentMemory> {
    const memory = new AgentMemory(model, options);
    if (options.folder !== undefined) {
      memory.#folder = await MemoryFolder.open(options.folder, async (events) => {
        for (const event of events) await memory.#replay(event);
      });
    }
    return memory;
  }

  /** Number of memories. */
  get size(): number {
    return this.#known.size;
  }

  /** Whether a language model answers questions here. */
  get answers(): boolean {
    return this.model !== undefined;
  }

  /**
   * Remembers a text. One that its namespace holds word for word is not written again, but counts as told again.
   * @returns the id, and whether the text was known
   * @throws InputError for an empty text, and after `close` of a memory with a folder.
   */
  add(text: string, options: AddOptions = {}): Promise<{ id: number; known: boolean }> {
    return this.#turns.take(() => this.#add(text, options));
  }

  /** Memories for a query, best first. @throws InputError after `close` of a memory with a folder. */
  search(query: string, { k = 5, updateStats = true, ...filter }: SearchOptions = {}): Promise<MemoryHit[]> {
    return this.#turns.take(async () => {
      const hits = (await this.#scored(query, k, filter)).slice(0, k);
      if (updateStats) await this.#touch(hits.map(({ id }) => id));
      return hits;
    });
  }

  /**
   * Answers a question with the language model, behind the memories that it finds.
   * @throws InputError without a language model, and after `close` of a memory with a folder.
   */
  ask(question: string, options: AskOptions = {}): Promise<AskedAnswer> {
    return this.#turns.take(() => this.#ask(question, options));
  }

  /**
   * What stands before a line that is said: the memories that it finds, but for itself, and their keys and values.
   * @throws InputError without a language model, and after `close` of a memory with a folder.
   */
  recall(said: string): Promise<Recalled> {
    return this.#turns.take(() => this.#recall(said));
  }

  get(id: number): MemoryRecord | undefined {
    return this.#known.get(id)?.record;
  }

  /** Memories that a filter means, in the order in which they were added. */
  list(filter: MemoryFilter = {}): MemoryRecord[] {
    return this.#known.list(filter);
  }

  /**
   * Puts another text in the place of a memory.
   * @throws InputError for an id that is not there, an empty text, and after `close` of a memory with a folder.
   */
  update(id: number, text: string): Promise<MemoryRecord> {
    return this.#turns.take(() => this.#update(id, text));
  }

  /** Forgets a memory; says whether it was there. @throws InputError after `close` of a memory with a folder. */
  forget(id: number): Promise<boolean> {
    return this.#turns.take(() => this.#forget(id));
  }

  /** All memories as lines of JSON. */
  export(filter: MemoryFilter = {}): string {
    return this.list(filter)
      .map((record) => `${JSON.stringify(record)}\n`)
      .join('');
  }

  /** Ends the use of the folder when the calls before it are done; the language model stays. */
  close(): Promise<void> {
    const { folder } = this.options;
    const refusal = folder === undefined ? undefined : `The memory in '${folder}' is closed; open it again.`;
    return this.#turns.end(async () => {
      const open = this.#folder;
      this.#folder = undefined;
      await open?.close();
    }, refusal);
  }

  async #add(
    text: string,
    { namespace = DEFAULT_NAMESPACE, metadata = {}, force = false, time }: AddOptions,
  ): Promise<{ id: number; known: boolean }> {
    checkText(text);
    const same = force ? undefined : this.#known.sameText(namespace, text);
    if (same !== undefined) return this.#toldAgain(same);
    const written = await this.model?.write(text, { force });
    if (written?.known) return this.#toldAgain(this.#known.ofModel(written.mid).id);
    const mid = written?.mid;
    const now = this.#now();
    const id = this.#nextId;
    const record = { id, text, namespace, metadata, time: time ?? now, lastUsed: now, uses: 0, version: 0 };
    await this.#folder?.append('add', { record, ...this.#packed(mid) });
    this.#take(record, mid);
    return { id, known: false };
  }

  async #ask(question: string, { maxTokens = 30, ...filter }: AskOptions): Promise<AskedAnswer> {
    const model = this.#required();
    const memories = await this.#kept(model, question, filter);
    const [answer] = await model.answer([question], { maxTokens, memories: this.#midsOf(memories) });
    await this.#touch(memories.map(({ id }) => id));
    return { text: answer!.text, memories, positions: answer!.positions };
  }

  async #recall(said: string): Promise<Recalled> {
    const model = this.#required();
    const known = this.#known.sameText(DEFAULT_NAMESPACE, said);
    const memories = await this.#kept(model, said, {}, known);
    await this.#touch(memories.map(({ id }) => id));
    return { memories, prefix: model.prefixOf(this.#midsOf(memories)) };
  }

  /** @throws InputError without a language model. */
  #required(): KeyValueMemory {
    if (this.model) return this.model;
    throw new InputError('Questions are answered by a language model, but this memory has none; use search.');
  }

  /** Memories that stand before a question, best first. */
  async #kept(
    model: KeyValueMemory,
    question: string,
    filter: MemoryFilter,
    except?: number,
  ): Promise<MemoryHit[]> {
    const { tau, fusedTopK: k, pMin } = model.config;
    const scored = (await this.#scored(question, k, filter)).filter(({ id }) => id !== except);
    if (scored.length === 0) return [];
    const scores = scored.map(({ score }) => score);
    return gate(scores, { tau, k, pMin }).flatMap(({ index, kept }) => (kept ? [scored[index]!] : []));
  }

  #midsOf(memories: readonly MemoryHit[]): number[] {
    return memories.map(({ id }) => this.#known.require(id).mid!);
  }

  async #update(id: number, text: string): Promise<MemoryRecord> {
    const known = this.#known.require(id);
    checkText(text);
    if (this.model && known.mid !== undefined) await this.model.update(known.mid, text);
    const record = { ...known.record, text, lastUsed: this.#now(), version: known.record.version + 1 };
    await this.#folder?.append('update', { record, ...this.#packed(known.mid) });
    this.#known.put(record, known.mid);
    await this.#compactIfDue();
    return record;
  }

  async #forget(id: number): Promise<boolean> {
    if (!this.#known.get(id)) return false;
    await this.#folder?.append('forget', { id });
    this.#drop(id);
    await this.#compactIfDue();
    return true;
  }

  async #toldAgain(id: number): Promise<{ id: number; known: true }> {
    await this.#touch([id]);
    return { id, known: true };
  }

  /** Memories that a filter means, best first: the best k at least, where there are so many. */
  async #scored(query: string, k: number, filter: MemoryFilter): Promise<MemoryHit[]> {
    if (this.model) return this.#fused(this.model, query, k, filter);
    return this.#known
      .best(query, k, filter)
      .map(({ id, score }) => ({ ...this.#known.require(id).record, score }));
  }

  async #fused(model: KeyValueMemory, query: string, k: number, filter: MemoryFilter): Promise<MemoryHit[]> {
    let count = model.size <= SCORED_AT_ONCE ? model.size : Math.min(model.size, MORE * Math.max(k, 1));
    for (;;) {
      const [found = []] = await model.retrieve([query], count);
      const hits = found
        .map(({ mid, score }) => ({ ...this.#known.ofModel(mid), score }))
        .filter((hit) => matches(hit, filter))
        .sort((a, b) => b.score - a.score || a.id - b.id);
      if (hits.length >= k || count >= model.size) return hits;
      count = Math.min(model.size, MORE * count);
    }
  }

  async #touch(ids: readonly number[]): Promise<void> {
    if (ids.length === 0) return;
    const now = this.#now();
    await this.#folder?.append('touch', { ids, now });
    this.#known.use(ids, now);
    await this.#compactIfDue();
  }

  #take(record: MemoryRecord, mid: number | undefined): void {
    this.#known.put(record, mid);
    this.#nextId = Math.max(this.#nextId, record.id + 1);
  }

  #drop(id: number): void {
    const mid = this.#known.get(id)?.mid;
    if (mid !== undefined) this.model?.remove(mid);
    this.#known.drop(id);
  }

  #packed(mid: number | undefined, summary = true): { stored?: PackedMemory } {
    return this.model && mid !== undefined ? { stored: packStored(this.model.stored(mid, summary)) } : {};
  }

  async #replay(event: JournalEvent): Promise<void> {
    this.#nextId = Math.max(this.#nextId, (event.nextId as number | undefined) ?? 0);
    if (event.op === 'forget') this.#drop(event.id as number);
    else if (event.op === 'touch') this.#known.use(event.ids as number[], event.now as number);
    else {
      const { record, stored } = event as unknown as { record: MemoryRecord; stored?: PackedMemory };
      this.#drop(record.id);
      this.#take(record, await this.#restored(record.text, stored && unpackStored(stored, record.text)));
    }
  }

  /** A memory that was written without a model, or by another one, is read anew. */
  async #restored(text: string, stored: StoredMemory | undefined): Promise<number | undefined> {
    if (!this.model) return undefined;
    if (stored && this.model.fits(stored)) return this.model.restore(stored);
    return (await this.model.write(text, { force: true })).mid;
  }

  async #compactIfDue(): Promise<void> {
    const events = () => {
      const all = this.#known.all();
      // The last one brings back the summary for all.
      return all.map(({ record, mid }, i) => ({ record, ...this.#packed(mid, i === all.length - 1) }));
    };
    await this.#folder?.compactIfDue({ size: this.size, events }, this.#nextId);
  }
}

function checkText(text: string): void {
  if (text.trim() === '') throw new InputError('A memory needs a text, but this one is empty.');
}

/**
 * An agent's memory: the same calls with a language model, whose states find memories and answer questions, and without one, by
 * words alone.
 * @param model a memory of keys and values over a language model, or `'none'`
 * @throws InputError for a folder that holds something else, is damaged, or is in use by another process.
 */
export function createAgentMemory(
  model: KeyValueMemory | 'none',
  options: AgentMemoryOptions = {},
): Promise<AgentMemory> {
  return AgentMemory.open(model === 'none' ? undefined : model, options);
}
