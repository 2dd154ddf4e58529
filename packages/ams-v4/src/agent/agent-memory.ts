import { InputError, nodeModule } from '@palimpsest/base';
import { FolderLock, storageError } from '@palimpsest/lm';
import type { KeyValueMemory } from '../conversation/key-value-memory.js';
import type { StoredMemory } from '../conversation/memory-records.js';
import { Bm25 } from '../retrieval/bm25.js';
import { gate } from '../retrieval/gate.js';
import { JOURNAL, Journal, type JournalEvent } from './journal.js';
import { type MemoryFilter, type MemoryRecord, matches } from './record.js';
import { type PackedMemory, packStored, unpackStored } from './stored-memory.js';

export interface AgentMemoryOptions {
  /** Folder in which the memory survives its process; without one it is gone with it. */
  readonly folder?: string;
  /** The present, in milliseconds since 1970. Default: the clock. */
  readonly now?: () => number;
}

export interface AddOptions {
  readonly namespace?: string | undefined;
  readonly metadata?: MemoryRecord['metadata'] | undefined;
  /** When it was said. Default: now. */
  readonly time?: number | undefined;
  /** Add a text even when it is known. Default false. */
  readonly force?: boolean | undefined;
}

export interface SearchOptions extends MemoryFilter {
  /** Most memories. Default 5. */
  readonly k?: number | undefined;
  /** Count what is found as used. Default true. */
  readonly updateStats?: boolean;
}

export interface MemoryHit extends MemoryRecord {
  /** BM25 without a language model, the fused score of the bundles with one. */
  readonly score: number;
}

export interface AskOptions extends MemoryFilter {
  /** Most new tokens. Default 30. */
  readonly maxTokens?: number;
}

export interface AskedAnswer {
  readonly text: string;
  /** The memories that stood before the question, best first. */
  readonly memories: readonly MemoryHit[];
  /** Positions that they took. */
  readonly positions: number;
}

/** Journals are written anew when they have this many times the lines that count. */
const SLACK = 2;
const SMALLEST_COMPACTION = 64;

/** Two processes that wrote one journal would number their memories alike. */
const ownUse = {
  file: 'memory.lock',
  use: 'is in use',
  advice: 'end that process, or choose another folder (--folder)',
} as const;

type Known = { record: MemoryRecord; mid: number | undefined };

/**
 * What an agent remembers, with a language model or by words alone. Calls may be made side by side: each runs when those before it are
 * done, so that none works on what another one is changing.
 * @see createAgentMemory
 */
export class AgentMemory {
  readonly #known = new Map<number, Known>();
  readonly #idOf = new Map<number, number>();
  readonly #words = new Bm25();
  readonly #now: () => number;
  #journal: Journal | undefined;
  #lock: FolderLock | undefined;
  #nextId = 0;
  /** Settles when the last call that was made is done, whatever came of it. */
  #turn: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  private constructor(
    private readonly model: KeyValueMemory | undefined,
    private readonly options: AgentMemoryOptions,
  ) {
    this.#now = options.now ?? Date.now;
  }

  static async open(model: KeyValueMemory | undefined, options: AgentMemoryOptions): Promise<AgentMemory> {
    const memory = new AgentMemory(model, options);
    if (options.folder !== undefined) await memory.#openFolder(options.folder);
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
    return this.#inTurn(() => this.#add(text, options));
  }

  /** Memories for a query, best first. @throws InputError after `close` of a memory with a folder. */
  search(query: string, { k = 5, updateStats = true, ...filter }: SearchOptions = {}): Promise<MemoryHit[]> {
    return this.#inTurn(async () => {
      const hits = (await this.#scored(query, filter)).slice(0, k);
      if (updateStats) await this.#touch(hits.map(({ id }) => id));
      return hits;
    });
  }

  /**
   * Answers a question with the language model, behind the memories that it finds.
   * @throws InputError without a language model, and after `close` of a memory with a folder.
   */
  ask(question: string, options: AskOptions = {}): Promise<AskedAnswer> {
    return this.#inTurn(() => this.#ask(question, options));
  }

  get(id: number): MemoryRecord | undefined {
    return this.#known.get(id)?.record;
  }

  /** Memories that a filter means, in the order in which they were added. */
  list(filter: MemoryFilter = {}): MemoryRecord[] {
    return [...this.#known.values()]
      .map(({ record }) => record)
      .filter((record) => matches(record, filter))
      .sort((a, b) => a.id - b.id);
  }

  /**
   * Puts another text in the place of a memory.
   * @throws InputError for an id that is not there, an empty text, and after `close` of a memory with a folder.
   */
  update(id: number, text: string): Promise<MemoryRecord> {
    return this.#inTurn(() => this.#update(id, text));
  }

  /** Forgets a memory; says whether it was there. @throws InputError after `close` of a memory with a folder. */
  forget(id: number): Promise<boolean> {
    return this.#inTurn(() => this.#forget(id));
  }

  /** All memories as lines of JSON. */
  export(filter: MemoryFilter = {}): string {
    return this.list(filter)
      .map((record) => `${JSON.stringify(record)}\n`)
      .join('');
  }

  /** Ends the use of the folder when the calls before it are done; the language model stays. */
  close(): Promise<void> {
    const closed = this.#turn.then(() => this.#close());
    this.#turn = closed.catch(() => undefined);
    return closed;
  }

  /** One call after the other; none of them may wait for another one within its work. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(() => {
      if (!this.#isClosed) return work();
      throw new InputError(`The memory in '${this.options.folder}' is closed; open it again.`);
    });
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #add(
    text: string,
    { namespace = 'default', metadata = {}, force = false, time }: AddOptions,
  ): Promise<{ id: number; known: boolean }> {
    if (text.trim() === '') throw new InputError('A memory needs a text, but this one is empty.');
    const same = force
      ? undefined
      : [...this.#known.values()].find(
          ({ record }) => record.namespace === namespace && normal(record.text) === normal(text),
        );
    if (same) return this.#toldAgain(same.record.id);
    const written = await this.model?.write(text, { force });
    if (written?.known) return this.#toldAgain(this.#idOf.get(written.mid)!);
    const mid = written?.mid;
    const now = this.#now();
    const id = this.#nextId;
    const record = {
      id,
      text,
      namespace,
      metadata,
      time: time ?? now,
      lastUsed: now,
      uses: 0,
      version: 0,
    };
    await this.#journal?.append('add', { record, ...this.#packed(mid) });
    this.#take(record, mid);
    return { id, known: false };
  }

  async #ask(question: string, { maxTokens = 30, ...filter }: AskOptions): Promise<AskedAnswer> {
    const { model } = this;
    if (!model)
      throw new InputError(
        'Questions are answered by a language model, but this memory has none; use search.',
      );
    const scored = await this.#scored(question, filter);
    const { tau, fusedTopK: k, pMin } = model.config;
    const kept =
      scored.length === 0
        ? []
        : gate(
            scored.map(({ score }) => score),
            { tau, k, pMin },
          );
    const memories = kept.filter((one) => one.kept).map(({ index }) => scored[index]!);
    const mids = memories.map(({ id }) => this.#known.get(id)!.mid!);
    const [answer] = await model.answer([question], { maxTokens, memories: mids });
    await this.#touch(memories.map(({ id }) => id));
    return { text: answer!.text, memories, positions: answer!.positions };
  }

  async #update(id: number, text: string): Promise<MemoryRecord> {
    const known = this.#require(id);
    if (text.trim() === '') throw new InputError('A memory needs a text, but this one is empty.');
    if (this.model && known.mid !== undefined) await this.model.update(known.mid, text);
    const record = { ...known.record, text, lastUsed: this.#now(), version: known.record.version + 1 };
    await this.#journal?.append('update', { record, ...this.#packed(known.mid) });
    this.#words.add(id, text);
    known.record = record;
    await this.#compactIfDue();
    return record;
  }

  async #forget(id: number): Promise<boolean> {
    const known = this.#known.get(id);
    if (!known) return false;
    await this.#journal?.append('forget', { id });
    this.#drop(id);
    await this.#compactIfDue();
    return true;
  }

  async #close(): Promise<void> {
    const [journal, lock] = [this.#journal, this.#lock];
    this.#isClosed = this.options.folder !== undefined;
    this.#journal = undefined;
    this.#lock = undefined;
    try {
      await journal?.close();
    } finally {
      lock?.release();
    }
  }

  async #toldAgain(id: number): Promise<{ id: number; known: true }> {
    await this.#touch([id]);
    return { id, known: true };
  }

  async #scored(query: string, filter: MemoryFilter): Promise<MemoryHit[]> {
    const scores = this.model ? await this.#fused(query) : this.#words.scores(query);
    return [...scores]
      .map(([id, score]) => ({ ...this.#known.get(id)!.record, score }))
      .filter((hit) => matches(hit, filter))
      .sort((a, b) => b.score - a.score || a.id - b.id);
  }

  async #fused(query: string): Promise<Map<number, number>> {
    const { model } = this;
    if (!model || model.size === 0) return new Map();
    const [found] = await model.retrieve([query], model.size);
    return new Map(found!.map(({ mid, score }) => [this.#idOf.get(mid)!, score]));
  }

  async #touch(ids: readonly number[]): Promise<void> {
    if (ids.length === 0) return;
    const now = this.#now();
    await this.#journal?.append('touch', { ids, now });
    this.#use(ids, now);
    await this.#compactIfDue();
  }

  #use(ids: readonly number[], now: number): void {
    for (const id of ids) {
      const known = this.#known.get(id);
      if (known) known.record = { ...known.record, lastUsed: now, uses: known.record.uses + 1 };
    }
  }

  #take(record: MemoryRecord, mid: number | undefined): void {
    this.#known.set(record.id, { record, mid });
    if (mid !== undefined) this.#idOf.set(mid, record.id);
    this.#words.add(record.id, record.text);
    this.#nextId = Math.max(this.#nextId, record.id + 1);
  }

  #drop(id: number): void {
    const mid = this.#known.get(id)?.mid;
    if (mid !== undefined) {
      this.model?.remove(mid);
      this.#idOf.delete(mid);
    }
    this.#known.delete(id);
    this.#words.remove(id);
  }

  #packed(mid: number | undefined): { stored?: PackedMemory } {
    return this.model && mid !== undefined ? { stored: packStored(this.model.stored(mid)) } : {};
  }

  async #openFolder(folder: string): Promise<void> {
    const { join } = nodeModule('node:path');
    const { mkdir } = nodeModule('node:fs').promises;
    await mkdir(folder, { recursive: true }).catch((error: Error) => {
      throw new InputError(`The folder '${folder}' of a memory cannot be made: ${error.message}.`);
    });
    this.#lock = claimed(folder);
    try {
      const { journal, events } = await Journal.open(join(folder, JOURNAL));
      this.#journal = journal;
      for (const event of events) await this.#replay(event);
    } catch (error) {
      await this.#close();
      throw error;
    }
  }

  async #replay(event: JournalEvent): Promise<void> {
    this.#nextId = Math.max(this.#nextId, (event.nextId as number | undefined) ?? 0);
    if (event.op === 'forget') this.#drop(event.id as number);
    else if (event.op === 'touch') this.#use(event.ids as number[], event.now as number);
    else {
      const { record, stored } = event as unknown as { record: MemoryRecord; stored?: PackedMemory };
      this.#drop(record.id);
      this.#take(record, await this.#restored(record.text, stored && unpackStored(stored)));
    }
  }

  /** A memory that was written without a model, or by another one, is read anew. */
  async #restored(text: string, stored: StoredMemory | undefined): Promise<number | undefined> {
    if (!this.model) return undefined;
    if (stored && this.model.fits(stored)) return this.model.restore(stored);
    return (await this.model.write(text, { force: true })).mid;
  }

  async #compactIfDue(): Promise<void> {
    if (!this.#journal || this.#journal.lines < Math.max(SMALLEST_COMPACTION, SLACK * this.size)) return;
    const memories = [...this.#known.values()].map(({ record, mid }) => ({ record, ...this.#packed(mid) }));
    // Ids are never given twice, even when the memory that had the last one is gone.
    await this.#journal.compact([{ op: 'touch', ids: [], now: 0, nextId: this.#nextId }, ...memories]);
  }

  #require(id: number): Known {
    const known = this.#known.get(id);
    if (!known) throw new InputError(`There is no memory ${id}.`);
    return known;
  }
}

/** @throws InputError when another process has the folder, or the system refuses it. */
function claimed(folder: string): FolderLock {
  try {
    return FolderLock.claim(folder, ownUse);
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw storageError(
      'The folder of a memory cannot be used',
      folder,
      error,
      'choose another one (--folder)',
    );
  }
}

/** A text for comparison: spaces and case do not count. */
const normal = (text: string): string => text.trim().replaceAll(/\s+/g, ' ').toLowerCase();

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
