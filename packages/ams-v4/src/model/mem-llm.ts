import { loadPretrained } from '@palimpsest/backbone';
import { DirectionTree, MemStore, type NewEntry, type RetrievedId } from '@palimpsest/fiber-geometry';
import type { KakeyaHandle } from '@palimpsest/kakeya';
import { drawToken, parseSampling } from '@palimpsest/lm';
import {
  type Compiled,
  type DeviceArray,
  disposeTree,
  type Engine,
  InputError,
  type NDArray,
  ndarray,
  Rng,
  takeToHost,
  type tf,
  zeros,
} from '@palimpsest/tensor-core';
import { type MemoryConfig, type MemoryOptions, memoryConfig } from '../config.js';
import { contentCentroids } from '../encoders/content-centroid.js';
import { crossBundlePrefix, type PerBundle } from '../prefix/cross-bundle-attention.js';
import {
  type AdapterParameters,
  adaptersInit,
  type Coordinates,
  type EncoderInputs,
  type EncoderTrees,
  encodeAll,
  type ReadParameters,
  readParameters,
} from './adapters.js';
import {
  type BaseToFieldMaps,
  canonicalAxes,
  type DescriptiveFields,
  descriptiveRegistry,
  FieldCodes,
} from './descriptive-fields.js';
import { FiberRows } from './fiber-rows.js';
import { updatedSummary } from './session-summary.js';
import { type FrozenModel, TextModel } from './text-model.js';
import {
  type LoadedWeights,
  type LoadWeightsOptions,
  loadTrainedWeights,
  saveTrainedWeights,
  type TrainingProvenance,
} from './trained-weights.js';

export interface MemLLMOptions {
  readonly engine: Engine;
  /** Options of the memory; `dLLM` is the model's width unless it is given. */
  readonly memory?: MemoryOptions;
  /** Trained parameters. Default: fresh ones. */
  readonly adapters?: AdapterParameters<NDArray>;
  /** Seed of fresh parameters. Default 0. */
  readonly seed?: number;
  /** Maps from bundle axes to descriptive fields; random ones where none are given. */
  readonly kakeyaMaps?: BaseToFieldMaps;
}

export interface GenerateOptions {
  /** Most new tokens. Default 40. */
  readonly maxTokens?: number;
  /** Draw from the model's distribution with this generator, in place of taking the likeliest token. */
  readonly rng?: Rng;
  /** Told the text so far at every new token. */
  readonly onText?: (text: string) => void;
}

/** What a prompt finds in the memory: a soft prefix for the language model. */
export interface DecodeContext {
  /** `[prompts, lMem, dLLM]`; zeros when there is no memory. */
  readonly prefix: NDArray;
  /** Memories that were attended to. */
  readonly memories: number;
}

type Encode = Compiled<[EncoderTrees, EncoderInputs], Coordinates>;
type Prefix = Compiled<[ReadParameters['cross_attn'], tf.Tensor, PerBundle<tf.Tensor>, tf.Tensor], tf.Tensor>;

/**
 * A frozen language model with a memory outside of its context window: texts are written as points in three bundles, and a
 * prompt reads the fibers of all of them through a prefix of `lMem` slots (DERIVATION.md, "Writing and reading").
 */
export class MemLLM4 {
  readonly config: MemoryConfig;
  readonly text: TextModel;
  store!: MemStore<KakeyaHandle>;
  #fields!: FieldCodes;
  #rows!: FiberRows;
  #summary: Float32Array | undefined;
  #turns: Float32Array[] = [];
  #written = 0;
  #adapters: AdapterParameters<NDArray> | undefined;
  /** Gives the trained parameters when they are first asked for. */
  #source: (() => AdapterParameters<NDArray>) | undefined;
  /** The trained parameters on the engine; none until they are needed there. */
  #onEngine: ReadParameters<DeviceArray> | undefined;
  readonly #maps: BaseToFieldMaps | undefined;
  readonly #encode: Encode;
  readonly #prefix: Prefix;

  /** @throws InputError for options that do not fit, or a width that is not the model's. */
  constructor(frozen: FrozenModel, options: MemLLMOptions) {
    const width = frozen.model.options.modelWidth;
    this.config = memoryConfig({ dLLM: width, ...options.memory });
    if (this.config.dLLM !== width) {
      throw new InputError(
        `The option 'dLLM' of a memory is ${this.config.dLLM}, but the language model is ${width} wide.`,
      );
    }
    this.text = new TextModel(options.engine, frozen);
    this.#adapters =
      options.adapters ?? adaptersInit(this.config, Rng.fromSeed(options.seed ?? 0), this.text.embeddingNorm);
    this.#maps = options.kakeyaMaps;
    const { config } = this;
    this.#encode = options.engine.compile(
      (adapters: EncoderTrees, inputs: EncoderInputs) => encodeAll(adapters, config, inputs),
      { name: 'encoders' },
    );
    this.#prefix = options.engine.compile(
      (
        parameters: ReadParameters['cross_attn'],
        hidden: tf.Tensor,
        fibers: PerBundle<tf.Tensor>,
        ignore: tf.Tensor,
      ) => crossBundlePrefix(parameters, config, hidden, fibers, ignore),
      { name: 'fiber prefix' },
    );
    this.clear();
  }

  /** Loads a checkpoint folder and freezes it. @throws InputError as `loadPretrained`. */
  static async load(folder: string, options: MemLLMOptions): Promise<MemLLM4> {
    return new MemLLM4(await loadPretrained(folder), options);
  }

  get adapters(): AdapterParameters<NDArray> {
    this.#adapters ??= this.#source!();
    return this.#adapters;
  }

  /** Whether the trained parameters are those of a source that was set. */
  hasAdaptersOf(source: () => AdapterParameters<NDArray>): boolean {
    return this.#source === source;
  }

  /**
   * Replaces the trained parameters; memories keep the coordinates that they were written with.
   * @param adapters the parameters, or what gives a copy of them when somebody asks
   */
  setAdapters(adapters: AdapterParameters<NDArray> | (() => AdapterParameters<NDArray>)): void {
    const isSource = typeof adapters === 'function';
    this.#adapters = isSource ? undefined : adapters;
    this.#source = isSource ? adapters : undefined;
    disposeTree(this.#onEngine);
    this.#onEngine = undefined;
  }

  #placed(): ReadParameters<DeviceArray> {
    this.#onEngine ??= this.text.engine.put(readParameters(this.adapters));
    return this.#onEngine;
  }

  /** Writes the trained parameters to a file; see `saveTrainedWeights`. */
  saveTrainedWeights(path: string, training: TrainingProvenance): Promise<void> {
    return saveTrainedWeights(path, this.adapters, this.config, training);
  }

  /** Takes trained parameters from a file; see `loadTrainedWeights`. */
  async loadTrainedWeights(path: string, options: LoadWeightsOptions = {}): Promise<LoadedWeights['stats']> {
    const { adapters, stats } = await loadTrainedWeights(path, this.adapters, options);
    this.setAdapters(adapters);
    return stats;
  }

  /** Sets of the descriptive fields. */
  get registry(): FieldCodes['registry'] {
    return this.#fields.registry;
  }

  /** Running mean of the session's pooled states, `[dLLM]`; nothing before the first text. */
  get sessionSummary(): Float32Array | undefined {
    return this.#summary;
  }

  /** Forgets all memories, the session and the sets of the descriptive fields; ids begin at 0 again. */
  clear(): void {
    if (this.store?.length === 0 && this.#written === 0) return;
    this.store = new MemStore<KakeyaHandle>({ ...this.config, mode: this.config.geometry });
    this.#fields = new FieldCodes(descriptiveRegistry(this.config), this.config.kakeyaMinEntries, this.#maps);
    this.#rows = new FiberRows(this.config);
    this.#summary = undefined;
    this.#turns = [];
    this.#written = 0;
  }

  /** Pooled states of texts, `[texts, dLLM]`. */
  pool(texts: readonly ArrayLike<number>[]): Promise<NDArray> {
    return this.text.pool(texts, this.config.poolFirstToken);
  }

  /**
   * Remembers a text.
   * @returns its id, which is never used again
   * @throws InputError for a text without tokens.
   */
  async write(text: string): Promise<number> {
    const ids = this.text.encode(text);
    return this.writePooled(text, ids, (await this.pool([ids])).data);
  }

  /** Remembers a text whose pooled state is known. */
  async writePooled(text: string, ids: readonly number[], pooled: ArrayLike<number>): Promise<number> {
    const { dLLM } = this.config;
    const hidden = Float32Array.from(pooled);
    const ts = this.#written;
    this.#summary = updatedSummary(this.#summary, hidden);
    const centroid = contentCentroids([ids], this.text.unitEmbeddings);
    const coordinates = await this.encode({
      hidden: ndarray(hidden, [1, dLLM]),
      centroids: centroid,
      timeScalars: ndarray([ts, 0, 0], [1, 3]),
      surprise: zeros([1]),
      sessionSummary: ndarray(this.#summary, [1, dLLM]),
      ...(this.config.previousTurns > 0 && {
        prevTurns: ndarray(Float32Array.from(this.#turns.flatMap((turn) => [...turn])), [
          1,
          this.#turns.length,
          dLLM,
        ]),
      }),
    });
    const mid = this.store.add({
      ...newEntry(coordinates),
      ts,
      last: ts,
      sourceText: text,
      contentTokenIds: [...ids],
    });
    this.#written += 1;
    this.#rows.add(mid, this.store.get(mid)!);
    if (this.config.previousTurns > 0)
      this.#turns = [...this.#turns, hidden].slice(-this.config.previousTurns);
    if (this.config.kakeyaFields) this.#code(mid, fieldsOf(hidden, centroid, coordinates.ctx.base, dLLM));
    return mid;
  }

  /** Forgets a memory; says whether it was there. */
  remove(mid: number): boolean {
    this.#rows.remove(mid);
    this.#fields.remove(mid);
    return this.store.remove(mid);
  }

  /** Coordinates of texts whose pooled states are known, on the host. */
  async encode(inputs: EncoderInputs<NDArray>): Promise<Coordinates<NDArray>> {
    const { cross_attn: _, ...encoders } = this.#placed();
    return takeToHost<Coordinates<DeviceArray>>(await this.#encode(encoders, inputs));
  }

  /** What prompts find in the memory. @throws InputError for a prompt without tokens. */
  async prepareDecodeContext(prompts: readonly string[]): Promise<DecodeContext> {
    return this.#contextOf(prompts.map((prompt) => this.text.encode(prompt)));
  }

  /**
   * Continues a prompt behind the memory's prefix.
   * @returns the new text, without special tokens
   * @throws InputError for a prompt without tokens, or one that is too long for the model.
   */
  async generate(prompt: string, options: GenerateOptions = {}): Promise<string> {
    const ids = this.text.encode(prompt);
    return this.text.decode(await this.generateIds(ids, options));
  }

  /** The new ids behind a prompt of ids. */
  async generateIds(
    prompt: readonly number[],
    { maxTokens = 40, rng, onText }: GenerateOptions = {},
  ): Promise<number[]> {
    const { prefix } = await this.#contextOf([prompt]);
    const sampling = parseSampling();
    const soFar: number[] = [];
    const [ids] = await this.text.continue([prompt], maxTokens, {
      softPrefix: prefix,
      ...(rng && { choose: (logits) => drawToken(logits, sampling, rng).id }),
      ...(onText && {
        onToken: (id) => {
          soFar.push(id);
          onText(this.text.decode(soFar));
        },
      }),
    });
    return ids!;
  }

  /**
   * Memories by topic, best first, as the published program searches: the text goes through the memories' own encoder, without
   * tokens; a direction tree gives whatever its beam reaches.
   */
  async searchTopic(text: string): Promise<readonly RetrievedId[]> {
    if (this.store.length === 0) return [];
    const topic = await this.topicOf(this.text.encode(text));
    const index = this.store.index('topic');
    if (index instanceof DirectionTree) return index.retrieve(topic, this.config.retrievalBeam);
    return index.search(topic, this.config.retrievalTopk).map(({ id, cosine }) => ({ id, value: cosine }));
  }

  /** Direction of a text of ids in the topic bundle, without the centroid of its tokens. */
  async topicOf(ids: readonly number[]): Promise<Float32Array> {
    const hidden = await this.pool([ids]);
    const coordinates = await this.encode({
      hidden,
      centroids: zeros(hidden.shape),
      timeScalars: zeros([1, 3]),
      surprise: zeros([1]),
      sessionSummary: hidden,
    });
    return Float32Array.from(coordinates.topic.dirn.data);
  }

  /** Everything that is wrong with the memory; empty when all is well. */
  verifyConsistency(): string[] {
    const axes = canonicalAxes(this.adapters);
    return this.config.kakeyaFields
      ? this.store.verifyConsistency(this.#fields.registry, axes)
      : this.store.verifyConsistency();
  }

  /** Gives graphs and weights back to the engine. */
  async dispose(): Promise<void> {
    await Promise.all([this.text.dispose(), this.#encode.dispose(), this.#prefix.dispose()]);
    disposeTree(this.#onEngine);
  }

  async #contextOf(prompts: readonly (readonly number[])[]): Promise<DecodeContext> {
    const { lMem, dLLM } = this.config;
    const memories = this.store.length;
    if (memories === 0) return { prefix: zeros([prompts.length, lMem, dLLM]), memories };
    const { fibers, ignore } = this.#rows.padded(prompts.length);
    const pooled = await this.pool(prompts);
    const prefix = await this.#prefix(this.#placed().cross_attn, pooled, fibers, ignore);
    return { prefix: await takeToHost<DeviceArray>(prefix), memories };
  }

  #code(mid: number, fields: DescriptiveFields): void {
    const handle = this.#fields.encode(mid, fields);
    if (handle) this.store.get(mid)!.kakeyaHandle = handle;
    const known = this.store
      .allEntries()
      .flatMap(({ mid, kakeyaHandle }) => (kakeyaHandle ? [[mid, kakeyaHandle] as const] : []));
    const fresh = this.#fields.update(this.store.length, canonicalAxes(this.adapters), new Map(known));
    for (const [id, code] of fresh) {
      const entry = this.store.get(id);
      if (entry) entry.kakeyaHandle = code;
    }
  }
}

function newEntry({ time, topic, ctx }: Coordinates<NDArray>): NewEntry<KakeyaHandle> {
  return {
    timeBase: time.base.data,
    timeFiber: time.fiber.data,
    timeDirn: time.dirn.data,
    topicBase: topic.base.data,
    topicFiber: topic.fiber.data,
    topicDirn: topic.dirn.data,
    ctxBase: ctx.base.data,
    ctxFiber: ctx.fiber.data,
    ctxDirn: ctx.dirn.data,
  };
}

function fieldsOf(
  hidden: Float32Array,
  centroid: NDArray<'float32'>,
  ctxBase: NDArray,
  width: number,
): DescriptiveFields {
  const descriptor = new Float32Array(width);
  descriptor.set(Float32Array.from(ctxBase.data).subarray(0, width));
  return { semantic_emb: hidden, content_wte_mean: centroid.data, context_descriptor: descriptor };
}
