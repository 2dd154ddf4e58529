import { fnv1a, hex32 } from '@palimpsest/base';
import { type FusedHit, MemStore } from '@palimpsest/fiber-geometry';
import { tokenSpans } from '@palimpsest/lm';
import {
  type Compiled,
  type DeviceArray,
  disposeTree,
  InputError,
  type NDArray,
  ndarray,
  takeToHost,
  type tf,
} from '@palimpsest/tensor-core';
import { joinRows, rowsAt } from '../key-values/token-rows.js';
import { updatedSummary } from '../model/session-summary.js';
import type { TextModel } from '../model/text-model.js';
import type { PerBundle } from '../prefix/cross-bundle-attention.js';
import { Bm25 } from '../retrieval/bm25.js';
import { gate } from '../retrieval/gate.js';
import { contentTokens } from '../text/content-words.js';
import type { ConversationAdapters } from './adapters.js';
import { codecOf } from './codec-of-adapters.js';
import type { ConversationConfig } from './config.js';
import { featuresOf, stacked, type TextFeatures } from './features.js';
import { type HeadInputs, type HeadParameters, memoryDirections, queryDirections } from './heads.js';
import { KvBank } from './kv-bank.js';
import type {
  Answer,
  AnswerOptions,
  FoundMemory,
  MemoryPrefix,
  StoredMemory,
  WriteOptions,
  WrittenMemory,
} from './memory-records.js';
import { keptTokens } from './memory-tokens.js';
import { SlotFrame } from './slot-frame.js';

type Direct = Compiled<[HeadParameters, HeadInputs, tf.Tensor], PerBundle<tf.Tensor>>;
type Ask = Compiled<[HeadParameters, HeadInputs], PerBundle<tf.Tensor>>;

/** Memories up to which all are scored. */
const SCORED_AT_ONCE = 4096;
const LEAST_CANDIDATES = 8;
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
  readonly #heads: HeadParameters<DeviceArray>;
  readonly #direct: Direct;
  readonly #ask: Ask;
  readonly #words = new Bm25();
  readonly #weights: Readonly<PerBundle<number>>;
  readonly #frame: SlotFrame;
  readonly #form: string;
  #summary: Float32Array | undefined;
  #written = 0;

  constructor(
    readonly text: TextModel,
    readonly adapters: ConversationAdapters,
  ) {
    const { config, heads } = adapters;
    this.config = config;
    const { dTime, dTopic, dCtx } = config;
    this.store = new MemStore({ dTime, dTopic, dCtx, dFTime: 1, dFTopic: 1, dFCtx: 1 });
    this.bank = new KvBank(codecOf(text, adapters));
    this.#frame = new SlotFrame(text, config);
    this.#heads = text.engine.put(heads);
    this.#direct = text.engine.compile(memoryDirections, { name: 'directions of memories' });
    this.#ask = text.engine.compile(queryDirections, { name: 'directions of queries' });
    const [time, topic, ctx] = Array.from(heads.rawBundleWeight.data, (raw) => Math.log1p(Math.exp(raw)));
    this.#weights = { time: time!, topic: topic!, ctx: ctx! };
    const { name, bytesPerRow } = this.bank.codec;
    this.#form = `${name} ${bytesPerRow} ${config.prefixMode} ${hex32(fnv1a(heads.memory.topic.weight.data))}`;
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
    return texts.map((text, i) => this.#add(text, features[i]!, directions[i]!, force));
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
    this.#keep(mid, text, features[0]!);
  }

  /** Forgets a memory; says whether it was there. */
  remove(mid: number): boolean {
    this.bank.remove(mid);
    this.#words.remove(mid);
    return this.store.remove(mid);
  }

  /** A memory in a form that `restore` takes. @throws InputError for an id that is not there. */
  stored(mid: number): StoredMemory {
    const entry = this.store.get(mid);
    if (!entry) throw new InputError(`There is no memory ${mid}.`);
    return {
      form: this.#form,
      text: entry.sourceText,
      ts: entry.ts,
      directions: { time: entry.timeDirn, topic: entry.topicDirn, ctx: entry.ctxDirn },
      tokens: entry.contentTokenIds,
      keyValues: this.bank.bytesOf(mid) ?? new Uint8Array(0),
      summary: this.#summary!,
    };
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
      ...coordinatesOf(directions),
      ts,
      last: ts,
      sourceText: text,
      contentTokenIds: [...tokens],
    });
    if (keyValues.length > 0) this.bank.restore(mid, keyValues);
    this.#words.add(mid, text);
    this.#summary = summary;
    this.#written = Math.max(this.#written, ts + 1);
    return mid;
  }

  /** Memories for each query, best first, at most k. @throws InputError for a score that is not a number. */
  async retrieve(queries: readonly string[], k = this.config.fusedTopK): Promise<FoundMemory[][]> {
    if (this.store.length === 0) return queries.map(() => []);
    const { config, adapters } = this;
    const features = await featuresOf(this.text, config, config.queryForm, queries, adapters.tokenWeights);
    const inputs = this.#standardised(features, adapters.queries);
    const summary = stacked(
      queries.map(() => this.#summary!),
      this.text.width,
    );
    const asked = await takeToHost<PerBundle<DeviceArray>>(
      await this.#ask(this.#heads, { ...inputs, summary }),
    );
    return queries.map((query, i) => this.#found(query, directionsAt(asked, i), k));
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
    const ids =
      this.config.prefixMode === 'kv'
        ? await this.text.continue(prompts, maxTokens, { before: prefixes.map(({ rows }) => rows) })
        : await this.#behindSlots(prompts, prefixes, maxTokens);
    return { ids, positions: prefixes.map(({ positions }) => positions) };
  }

  /** What stands before a prompt for memories, best first: as many as fit, the best one always. */
  prefixOf(memories: readonly number[]): MemoryPrefix {
    const slotsOf = (mid: number) => this.store.get(mid)!.contentTokenIds;
    if (this.config.prefixMode === 'slots') {
      const fitting = this.#fitting(memories, (mid) => this.#frame.positions(slotsOf(mid)));
      const softPrefix = this.#frame.prefix(fitting.map(slotsOf));
      return { positions: softPrefix?.shape[1] ?? 0, ...(softPrefix && { softPrefix }) };
    }
    const fitting = this.#fitting(memories, (mid) => this.bank.tokens(mid));
    if (fitting.length === 0) return { positions: 0 };
    const rows = joinRows(fitting.map((mid) => this.bank.get(mid)));
    return { rows, positions: rows.shape[0]! };
  }

  /** Ids of a question in its form; nothing of any memory is in it. */
  promptIds(question: string): number[] {
    return this.text.encode(this.config.queryForm.replace('{text}', () => question));
  }

  /** Bytes of the memories: directions, keys and values with the slots' ids, texts. */
  bytes(): {
    readonly directions: number;
    readonly keyValues: number;
    readonly slots: number;
    readonly text: number;
  } {
    const entries = this.store.allEntries();
    const { dTime, dTopic, dCtx } = this.config;
    const sum = (of: (entry: (typeof entries)[number]) => number) =>
      entries.reduce((all, entry) => all + of(entry), 0);
    return {
      directions: entries.length * 4 * (dTime + dTopic + dCtx),
      keyValues: this.bank.byteLength,
      slots: sum(({ contentTokenIds }) => 4 * contentTokenIds.length),
      text: sum(({ sourceText }) => new TextEncoder().encode(sourceText).length),
    };
  }

  /** Gives graphs and maps back to the engine; the language model stays. */
  async dispose(): Promise<void> {
    await Promise.all([this.#direct.dispose(), this.#ask.dispose()]);
    disposeTree(this.#heads);
  }

  /** Reads texts that are about to be written, in their order: each is seen beside the summary of all before it. */
  async #read(
    texts: readonly string[],
  ): Promise<{ features: TextFeatures[]; directions: PerBundle<Float32Array>[] }> {
    const { config, adapters } = this;
    const { width } = this.text;
    const features = await featuresOf(this.text, config, config.memoryForm, texts, adapters.tokenWeights);
    const inputs = this.#standardised(features, adapters.memories);
    const summaries = texts.map((_, i) => {
      this.#summary = updatedSummary(this.#summary, inputs.hidden.data.subarray(i * width, (i + 1) * width));
      return this.#summary;
    });
    const times = ndarray(
      Float32Array.from(texts, (_, i) => this.#written + i),
      [texts.length],
    );
    const found = await takeToHost<PerBundle<DeviceArray>>(
      await this.#direct(this.#heads, { ...inputs, summary: stacked(summaries, width) }, times),
    );
    return { features, directions: texts.map((_, i) => directionsAt(found, i)) };
  }

  async #behindSlots(
    prompts: readonly (readonly number[])[],
    prefixes: readonly MemoryPrefix[],
    maxTokens: number,
  ): Promise<number[][]> {
    const ids: number[][] = [];
    for (const [i, prompt] of prompts.entries()) {
      const { softPrefix } = prefixes[i]!;
      ids.push((await this.text.continue([prompt], maxTokens, softPrefix ? { softPrefix } : {}))[0]!);
    }
    return ids;
  }

  /** Memories that fit into the prefix, best last; the best one always. */
  #fitting(bestFirst: readonly number[], sizeOf: (mid: number) => number): number[] {
    const fitting: number[] = [];
    let positions = 0;
    for (const mid of bestFirst) {
      positions += sizeOf(mid);
      if (fitting.length > 0 && positions > this.config.lMem) break;
      fitting.unshift(mid);
    }
    return fitting;
  }

  #found(query: string, asked: PerBundle<Float32Array>, k: number): FoundMemory[] {
    const { lexicalWeight, tau, pMin } = this.config;
    const count = this.size <= SCORED_AT_ONCE ? this.size : Math.max(k, LEAST_CANDIDATES);
    const lexical = lexicalWeight > 0 ? this.#words.scores(query) : new Map<number, number>();
    const hits = this.store
      .searchFused(asked, this.#weights, count)
      .map((hit): FusedHit => ({ ...hit, score: hit.score + lexicalWeight * (lexical.get(hit.id) ?? 0) }))
      .sort((a, b) => a.id - b.id);
    const gated = gate(
      hits.map(({ score }) => score),
      { tau, k, pMin },
    );
    return gated.map(({ index, score, probability, kept }) => {
      const { id, cosines } = hits[index]!;
      return { mid: id, text: this.store.get(id)!.sourceText, score, probability, kept, parts: cosines };
    });
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
    this.#keep(mid, text, features);
    return { mid, known: false };
  }

  #keep(mid: number, text: string, { whole, start, ids, rows }: TextFeatures): void {
    this.#words.add(mid, text);
    if (this.config.prefixMode !== 'kv') return;
    const spans = tokenSpans(this.text.tokenizer, whole, ids);
    this.bank.set(mid, rowsAt(rows, keptTokens(this.config, whole, start, spans, this.adapters.rarity)));
  }

  /** Ids of the tokens that slots stand for. */
  #contentIds({ whole, start, ids }: TextFeatures): number[] {
    const spans = tokenSpans(this.text.tokenizer, whole, ids).map((span) => ({
      start: Math.max(span.start, start) - start,
      end: Math.max(span.end, start) - start,
    }));
    const places = contentTokens(whole.slice(start), spans, this.adapters.rarity, this.config.slotsPerMemory);
    return places.map((place) => ids[place]!);
  }

  #standardised(
    features: readonly TextFeatures[],
    { centroid, hidden }: ConversationAdapters['memories'],
  ): { centroid: NDArray<'float32'>; hidden: NDArray<'float32'> } {
    const { width } = this.text;
    return {
      centroid: centroid.apply(
        stacked(
          features.map((one) => one.centroid),
          width,
        ),
      ),
      hidden: hidden.apply(
        stacked(
          features.map((one) => one.hidden),
          width,
        ),
      ),
    };
  }
}

function directionsAt({ time, topic, ctx }: PerBundle<NDArray>, row: number): PerBundle<Float32Array> {
  const at = ({ data, shape }: NDArray) =>
    Float32Array.from(data.slice(row * shape[1]!, (row + 1) * shape[1]!));
  return { time: at(time), topic: at(topic), ctx: at(ctx) };
}

const coordinatesOf = ({ time, topic, ctx }: PerBundle<Float32Array>) => ({
  timeBase: time,
  timeFiber: [0],
  timeDirn: time,
  topicBase: topic,
  topicFiber: [0],
  topicDirn: topic,
  ctxBase: ctx,
  ctxFiber: [0],
  ctxDirn: ctx,
});
