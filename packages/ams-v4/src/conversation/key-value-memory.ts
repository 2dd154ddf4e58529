import { MemStore } from '@palimpsest/fiber-geometry';
import { tokenSpans } from '@palimpsest/lm';
import { InputError } from '@palimpsest/tensor-core';
import { updatedSummary } from '../model/session-summary.js';
import type { TextModel } from '../model/text-model.js';
import type { PerBundle } from '../prefix/cross-bundle-attention.js';
import { Bm25 } from '../retrieval/bm25.js';
import { contentTokens } from '../text/content-words.js';
import type { ConversationAdapters } from './adapters.js';
import { codecOf } from './codec-of-adapters.js';
import { type ConversationConfig, idsBehindLeadIn, inForm } from './config.js';
import { directionBytes, directionsFrom, roundedDirections } from './direction-codes.js';
import { Directions } from './directions.js';
import { featuresOf, type TextFeatures } from './features.js';
import { fusedSearch, type Searched } from './fused-search.js';
import { searchInHops } from './hops.js';
import { KvBank } from './kv-bank.js';
import { PrefixMaker } from './memory-prefix.js';
import type {
  Answer,
  AnswerOptions,
  FoundMemory,
  MemoryBytes,
  MemoryPrefix,
  StoredMemory,
  WriteOptions,
  WrittenMemory,
} from './memory-records.js';
import { memoryTokens } from './memory-tokens.js';
import { coordinatesOf, formOf, storedOf } from './stored-form.js';

/** Bytes of a memory's number and of the time at which it was written. */
const BOOKKEEPING = 16;
/** Nearest memories that the write gate looks at. */
const GATE_NEIGHBOURS = 8;

/**
 * A memory of a conversation beside a frozen language model: three bundles find what answers a question, and the model's own keys and
 * values of what was found stand before the prompt (DERIVATION.md, "Key and value memory"). Logits are never touched.
 */
export class KeyValueMemory {
  readonly config: ConversationConfig;
  readonly store: MemStore;
  readonly bank: KvBank;
  readonly #directions: Directions;
  readonly #prefixes: PrefixMaker;
  readonly #searched: Searched;
  readonly #words = new Bm25();
  readonly #form: string;
  #summary: Float32Array | undefined;
  #written = 0;

  constructor(
    readonly text: TextModel,
    readonly adapters: ConversationAdapters,
  ) {
    const { config } = adapters;
    this.config = config;
    const { dTime, dTopic, dCtx } = config;
    this.#directions = new Directions(text.engine, adapters, text.width);
    const { weights } = this.#directions;
    // Maps that were trained to something that is no number make every search an error, not the memory.
    const fusedWeights = Object.values(weights).every((weight) => weight > 0) ? weights : undefined;
    this.store = new MemStore({ dTime, dTopic, dCtx, dFTime: 1, dFTopic: 1, dFCtx: 1, fusedWeights });
    this.bank = new KvBank(codecOf(text, adapters), (mid) =>
      memoryTokens(text, adapters, this.store.get(mid)!.sourceText),
    );
    this.#prefixes = new PrefixMaker(text, config, this.store, this.bank, adapters.leadIn);
    this.#searched = { store: this.store, words: this.#words, weights, config };
    this.#form = formOf(this.bank.codec, adapters);
  }

  /** Number of memories. */
  get size(): number {
    return this.store.length;
  }

  /** Remembers a text, unless the write gate knows it. @throws InputError for a text without tokens. */
  async write(text: string, options: WriteOptions = {}): Promise<WrittenMemory> {
    return (await this.writeMany([text], options))[0]!;
  }

  /** Remembers texts in their order, with few passes over the model. */
  async writeMany(texts: readonly string[], { force = false }: WriteOptions = {}): Promise<WrittenMemory[]> {
    const { features, directions } = await this.#read(texts);
    const written = texts.map((text, i) => this.#add(text, features[i]!, directions[i]!, force));
    const fresh = features.flatMap((one, i) => {
      const { mid, known } = written[i]!;
      return known ? [] : [{ mid, features: one }];
    });
    this.#keep(fresh);
    return written;
  }

  /**
   * Puts another text in the place of a memory, under the same id.
   * @throws InputError for an id that is not there.
   */
  async update(mid: number, text: string): Promise<void> {
    if (!this.store.has(mid)) throw new InputError(`There is no memory ${mid}.`);
    const { features, directions } = await this.#read([text]);
    this.store.update(mid, {
      ...coordinatesOf(directions[0]!),
      sourceText: text,
      ts: this.#written,
      last: this.#written,
      contentTokenIds: this.#contentIds(features[0]!),
    });
    this.#written += 1;
    this.#words.add(mid, text);
    this.#keep([{ mid, features: features[0]! }]);
  }

  /** Forgets a memory; says whether it was there. */
  remove(mid: number): boolean {
    this.bank.remove(mid);
    this.#words.remove(mid);
    return this.store.remove(mid);
  }

  /**
   * A memory in a form that `restore` takes.
   * @param summary whether it is to bring back the session summary: one memory of a session is enough
   * @throws InputError for an id that is not there.
   */
  stored(mid: number, summary = true): StoredMemory {
    const entry = this.store.get(mid);
    if (!entry) throw new InputError(`There is no memory ${mid}.`);
    const keyValues = this.bank.bytesOf(mid) ?? new Uint8Array(0);
    return storedOf(entry, this.config, {
      form: this.#form,
      keyValues,
      summary: summary ? this.#summary : undefined,
    });
  }

  /** Whether a stored memory was made with these adapters. */
  fits({ form }: StoredMemory): boolean {
    return form === this.#form;
  }

  /** Puts a stored memory back, under a new id. @throws InputError when other adapters made it. */
  restore(stored: StoredMemory): number {
    if (!this.fits(stored))
      throw new InputError('The stored memory was made with other adapters; write its text anew.');
    const { text, ts, tokens, keyValues, summary, directions } = stored;
    const mid = this.store.add({
      ...coordinatesOf(directionsFrom(directions, this.config)),
      ts,
      last: ts,
      sourceText: text,
      contentTokenIds: [...tokens],
    });
    if (keyValues.length > 0) this.bank.restore(mid, keyValues);
    this.#words.add(mid, text);
    this.#summary = summary ?? this.#summary;
    this.#written = Math.max(this.#written, ts + 1);
    return mid;
  }

  /**
   * Memories for each query, best first, at most k; with several hops first the best one of each search.
   * @throws InputError for a score that is not a number.
   */
  async retrieve(queries: readonly string[], k = this.config.fusedTopK): Promise<FoundMemory[][]> {
    if (this.store.length === 0) return queries.map(() => []);
    return searchInHops(queries, k, this.config.hops, (asked, count) => this.#search(asked, count));
  }

  /** Answers questions, each behind the memories that it finds. */
  async answer(questions: readonly string[], options: AnswerOptions = {}): Promise<Answer[]> {
    const { maxTokens = 30, updateStats = true, memories } = options;
    const found = await this.retrieve(questions);
    const read = found.map((list) => memories ?? list.filter(({ kept }) => kept).map(({ mid }) => mid));
    if (updateStats) for (const mid of read.flat()) this.store.touch(mid, this.#written);
    const prompts = questions.map((question) => this.promptIds(question));
    const { ids, positions } = await this.continueBehind(prompts, read, maxTokens);
    return questions.map((_, i) => ({
      text: this.text.decode(ids[i]!).trim(),
      found: found[i]!,
      positions: positions[i]!,
      promptTokens: prompts[i]!.length,
    }));
  }

  /**
   * Continues any prompts behind memories.
   * @param prompts ids
   * @param memories for each prompt, best first; the best stands next to the prompt
   * @returns new ids, and the positions that the memories took
   */
  async continueBehind(
    prompts: readonly (readonly number[])[],
    memories: readonly (readonly number[])[],
    maxTokens: number,
  ): Promise<{ ids: number[][]; positions: number[] }> {
    const prefixes = memories.map((mids) => this.prefixOf(mids));
    const ids = await this.#prefixes.continue(prompts, prefixes, maxTokens);
    return { ids, positions: prefixes.map(({ positions }) => positions) };
  }

  /** What stands before a prompt for memories, best first: as many as fit, the best one always. */
  prefixOf(memories: readonly number[]): MemoryPrefix {
    return this.#prefixes.of(memories);
  }

  /** Ids of a question in its form; nothing of any memory is in it. */
  promptIds(question: string): number[] {
    return idsBehindLeadIn(this.text, this.config, inForm(this.config.queryForm, question).whole);
  }

  /** Bytes of the memories as they are kept; an index of their directions in float32 is made beside them in working memory. */
  bytes(): MemoryBytes {
    const entries = this.store.allEntries();
    const sum = (of: (entry: (typeof entries)[number]) => number) =>
      entries.reduce((all, entry) => all + of(entry), 0);
    return {
      directions: sum(({ timeDirn: time, topicDirn: topic, ctxDirn: ctx }) => {
        return directionBytes({ time, topic, ctx }, this.config).length;
      }),
      keyValues: this.bank.byteLength,
      slots: sum(({ contentTokenIds }) => 4 * contentTokenIds.length),
      text: sum(({ sourceText }) => new TextEncoder().encode(sourceText).length),
      bookkeeping: BOOKKEEPING * entries.length,
    };
  }

  /** Gives graphs and maps back to the engine; the language model stays. */
  async dispose(): Promise<void> {
    await this.#directions.dispose();
  }

  /** Reads texts that are about to be written, in their order: each is seen beside the summary of all before it. */
  async #read(
    texts: readonly string[],
  ): Promise<{ features: TextFeatures[]; directions: PerBundle<Float32Array>[] }> {
    const { config, adapters } = this;
    const { width } = this.text;
    const features = await featuresOf(this.text, config, config.memoryForm, texts, adapters.tokenWeights);
    const inputs = this.#directions.standardMemories(features);
    const summaries = texts.map((_, i) => {
      this.#summary = updatedSummary(this.#summary, inputs.hidden.data.subarray(i * width, (i + 1) * width));
      return this.#summary;
    });
    const times = texts.map((_, i) => this.#written + i);
    const found = await this.#directions.ofMemories(inputs, summaries, times);
    return { features, directions: found.map((one) => roundedDirections(one, config)) };
  }

  async #search(queries: readonly string[], k: number): Promise<FoundMemory[][]> {
    const { config, adapters } = this;
    const { queryForm } = config;
    const { tokenWeights } = adapters;
    const features = await featuresOf(
      this.text,
      config,
      queryForm,
      queries,
      tokenWeights,
      undefined,
      () => false,
    );
    const asked = await this.#directions.ofQueries(features, this.#summary!);
    return queries.map((query, i) => fusedSearch(this.#searched, query, asked[i]!, k));
  }

  #add(text: string, features: TextFeatures, dirn: PerBundle<Float32Array>, force: boolean): WrittenMemory {
    const { writeGate } = this.config;
    if (writeGate !== 'off' && !force && this.size > 0) {
      const [nearest] = this.store.search('topic', dirn.topic, GATE_NEIGHBOURS);
      if (nearest && nearest.cosine >= writeGate) {
        this.store.touch(nearest.id, this.#written);
        return { mid: nearest.id, known: true };
      }
    }
    const ts = this.#written;
    const mid = this.store.add({
      ...coordinatesOf(dirn),
      ts,
      last: ts,
      sourceText: text,
      contentTokenIds: this.#contentIds(features),
    });
    this.#written += 1;
    this.#words.add(mid, text);
    return { mid, known: false };
  }

  /** Codes keys and values of memories. */
  #keep(memories: readonly { readonly mid: number; readonly features: TextFeatures }[]): void {
    if (this.config.prefixMode !== 'kv') return;
    this.bank.setMany(memories.map(({ mid, features }) => ({ mid, rows: features.rows! })));
  }

  /** Ids of the tokens that slots stand for, where there are slots. */
  #contentIds({ whole, start, ids }: TextFeatures): number[] {
    if (this.config.prefixMode !== 'slots') return [];
    const spans = tokenSpans(this.text.tokenizer, whole, ids).map((span) => ({
      start: Math.max(span.start, start) - start,
      end: Math.max(span.end, start) - start,
    }));
    const places = contentTokens(whole.slice(start), spans, this.adapters.rarity, this.config.slotsPerMemory);
    return places.map((place) => ids[place]!);
  }
}
