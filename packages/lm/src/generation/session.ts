import { canonicalJson } from '@palimpsest/base';
import {
  type Engine,
  formatShape,
  InputError,
  type NDArray,
  Rng,
  treeMap,
  treeToRecord,
} from '@palimpsest/tensor-core';
import { type DrawnToken, drawToken } from '../sampling/draw-token.js';
import { looksBack } from '../sampling/next-token-distribution.js';
import { parseSampling, type Sampling, type SamplingOptions } from '../sampling/sampling-options.js';
import type { AnySequenceModel } from '../sequence-model.js';
import { createDecoder, type Decoder, type DecoderOptions } from './decoder.js';
import { decodeSnapshot, type SessionSnapshot } from './session-snapshot.js';

/** How a session draws. */
export interface DrawingOptions {
  /** Seed of the draws. Default 0. */
  readonly seed?: number;
  readonly sampling?: SamplingOptions;
  /** How many of the latest tokens the penalties see; 0 turns them off. Default 256. */
  readonly penaltyWindow?: number;
  /** Names the parameters, so that a snapshot is refused by a model trained otherwise. */
  readonly parametersId?: string | undefined;
}

export interface SessionOptions extends DecoderOptions, DrawingOptions {
  readonly engine: Engine;
  readonly model: AnySequenceModel;
  /** Parameters on the host, or on the engine (they stay the caller's). */
  readonly params: unknown;
}

/**
 * One text being read and written by a model: the memory after its last token, and the logits for the next. The memory has
 * a fixed size, so a session costs the same after a million tokens; it can be saved, restored and forked at any token.
 */
export class Session {
  readonly #decoder: Decoder;
  readonly #model: AnySequenceModel;
  readonly #options: DrawingOptions;
  readonly #sampling: Sampling;
  /** The way of drawing that was asked for last. */
  #asked: { readonly options: SamplingOptions; readonly sampling: Sampling } | undefined;
  #logits: Float32Array | undefined;
  #pending: number[] = [];
  #history: number[] = [];
  #position = 0;
  #rng: Rng;

  private constructor(decoder: Decoder, model: AnySequenceModel, options: DrawingOptions) {
    this.#decoder = decoder;
    this.#model = model;
    this.#options = options;
    this.#sampling = parseSampling(options.sampling);
    this.#rng = Rng.fromSeed(options.seed ?? 0);
  }

  /** A session before its first token, over the fastest decoder of the model. */
  static async create(options: SessionOptions): Promise<Session> {
    const { engine, model, params } = options;
    return new Session(await createDecoder(engine, model, params, options), model, options);
  }

  /** A session over a decoder that has read nothing; from then on the decoder is the session's. */
  static over(decoder: Decoder, model: AnySequenceModel, options: DrawingOptions = {}): Session {
    return new Session(decoder, model, options);
  }

  /** Tokens read and written so far. */
  get position(): number {
    return this.#position;
  }

  /** The newest token; undefined before the first one. */
  get lastId(): number | undefined {
    return this.#history.at(-1);
  }

  /** Bytes of the memory. */
  get stateBytes(): number {
    return this.#decoder.stateBytes;
  }

  /** Forgets everything and reads a text from the beginning. */
  async prefill(ids: ArrayLike<number>): Promise<void> {
    await this.#forget();
    await this.append(ids);
  }

  /** Says that so many tokens are about to be read, which are then read faster by some models. */
  async reserve(tokens: number): Promise<void> {
    await this.#decoder.reserve?.(tokens + this.#pending.length);
  }

  /** Reads more of the text. */
  async append(ids: ArrayLike<number>): Promise<void> {
    this.#enqueue(ids);
    await this.#flush();
  }

  /** Logits of the next token, [vocabSize]. @throws InputError before the first token. */
  async logits(): Promise<Float32Array> {
    if (this.#pending.length > 0) await this.#flush();
    return this.#current();
  }

  /**
   * Draws the next token and adds it to the text.
   * @param sampling replaces the session's own way of drawing.
   */
  async next(sampling?: SamplingOptions): Promise<DrawnToken> {
    if (this.#pending.length > 0) await this.#flush();
    const logits = this.#current();
    const how = this.#samplingOf(sampling);
    const drawn = drawToken(logits, how, this.#rng, looksBack(how) ? this.#penalised() : []);
    // The token enters the memory with the next call: whoever stops here has not paid for it.
    this.#pending.push(drawn.id);
    this.#position += 1;
    this.#remember(this.#pending);
    return drawn;
  }

  /**
   * The session as data. Later calls do not change it.
   * @param compact the smaller form of the memory, where the model has one: it goes on equal but for rounding, where the
   * whole memory goes on bit for bit. Default false
   */
  async snapshot({ compact = false }: { readonly compact?: boolean } = {}): Promise<SessionSnapshot> {
    await this.#flush();
    const { parametersId } = this.#options;
    const small = compact ? this.#decoder.compact : undefined;
    return {
      model: this.#fingerprint(),
      parametersId,
      position: this.#position,
      history: this.#history.slice(-this.#kept),
      rng: this.#rng.state(),
      state: treeToRecord<NDArray>(await (small ?? this.#decoder).state()),
      compact: small ? true : undefined,
      logits: this.#logits?.slice(),
    };
  }

  /**
   * Goes on where a snapshot was taken; draws continue with its random numbers.
   * @throws InputError when the snapshot belongs to another model, configuration or parameters.
   */
  async restore(snapshot: SessionSnapshot | Uint8Array): Promise<void> {
    const given = snapshot instanceof Uint8Array ? decodeSnapshot(snapshot) : snapshot;
    this.#checkOrigin(given);
    const form = this.#formOf(given);
    const state =
      (given.compact ? undefined : this.#decoder.stateOf?.(given.state)) ??
      (await this.#sameShapes(given.state, form));
    // Everything is checked before anything changes.
    const rng = Rng.fromState(given.rng);
    this.#checkIds(given.history);
    const { vocabSize } = this.#model;
    if (given.logits && given.logits.length !== vocabSize) {
      throw new InputError(
        `The snapshot has ${given.logits.length} logits, but '${this.#model.name}' has ${vocabSize}.`,
      );
    }
    await form.restore(state);
    this.#logits = given.logits?.slice();
    this.#pending = [];
    this.#history = [...given.history];
    this.#position = given.position;
    this.#rng = rng;
  }

  /** Independent sessions with the same past and different random numbers. */
  async fork(count: number): Promise<Session[]> {
    const snapshot = await this.snapshot();
    const forks: Session[] = [];
    try {
      for (let i = 0; i < count; i++) {
        const fork = new Session(await this.#decoder.fork(), this.#model, this.#options);
        forks.push(fork);
        await fork.restore({ ...snapshot, rng: this.#rng.split().state() });
      }
    } catch (error) {
      // Nobody else knows of those that were made.
      for (const fork of forks) await fork.dispose();
      throw error;
    }
    return forks;
  }

  /** Forgets everything and starts the random numbers again from the seed. */
  async reset(): Promise<void> {
    await this.#forget();
    this.reseed(this.#options.seed ?? 0);
  }

  /** Draws from here on follow the random numbers of a seed. */
  reseed(seed: number): void {
    this.#rng = Rng.fromSeed(seed);
  }

  /** Gives the memory back, and the compiled model when no fork needs it any more. */
  async dispose(): Promise<void> {
    await this.#decoder.dispose();
  }

  /** Checked settings; a caller who draws token after token gives the same object again, which is checked once. */
  #samplingOf(options: SamplingOptions | undefined): Sampling {
    if (!options) return this.#sampling;
    if (this.#asked?.options !== options) this.#asked = { options, sampling: parseSampling(options) };
    return this.#asked.sampling;
  }

  #current(): Float32Array {
    if (this.#logits) return this.#logits;
    throw new InputError(
      'A session has no next token before its first one; prefill it with at least one id.',
    );
  }

  #enqueue(ids: ArrayLike<number>): void {
    const list = Array.from(ids);
    this.#checkIds(list);
    // One by one: as arguments of one call, a long text overflows the stack.
    for (const id of list) this.#pending.push(id);
    this.#position += list.length;
    this.#remember(list);
  }

  #checkIds(ids: readonly number[]): void {
    const { vocabSize } = this.#model;
    const wrong = ids.findIndex((id) => !(Number.isInteger(id) && id >= 0 && id < vocabSize));
    if (wrong >= 0) {
      throw new InputError(
        `The id ${ids[wrong]} is outside the vocabulary of ${vocabSize}; encode the text with the model's tokenizer.`,
      );
    }
  }

  /** Keeps the latest tokens, and at most twice as many between two cuts: a token costs no copy of all of them. */
  #remember(ids: readonly number[]): void {
    for (const id of ids) this.#history.push(id);
    if (this.#history.length > 2 * this.#kept) this.#history = this.#history.slice(-this.#kept);
  }

  get #window(): number {
    return Math.max(0, this.#options.penaltyWindow ?? 256);
  }

  /** How many tokens the session remembers: those that penalties see, and the newest whatever they see. */
  get #kept(): number {
    return Math.max(1, this.#window);
  }

  /** The tokens that penalties see. */
  #penalised(): number[] {
    return this.#window > 0 ? this.#history.slice(-this.#window) : [];
  }

  async #flush(): Promise<void> {
    if (this.#pending.length === 0) return;
    const ids = this.#pending;
    this.#pending = [];
    this.#logits = await this.#decoder.read(ids);
  }

  async #forget(): Promise<void> {
    await this.#decoder.reset();
    this.#logits = undefined;
    this.#pending = [];
    this.#history = [];
    this.#position = 0;
  }

  /** How the memory of a snapshot is held. */
  #formOf({ compact }: SessionSnapshot): Pick<Decoder, 'state' | 'restore'> {
    const form = compact ? this.#decoder.compact : this.#decoder;
    if (form) return form;
    throw new InputError(
      `The snapshot holds a compact memory, but this decoder of '${this.#model.name}' has no such form; take a whole snapshot.`,
    );
  }

  /** The memory of a snapshot, whose arrays must be those of the present one. */
  async #sameShapes(arrays: SessionSnapshot['state'], form: Pick<Decoder, 'state'>): Promise<unknown> {
    return treeMap<NDArray, NDArray>(await form.state(), (leaf, path) => {
      const saved = arrays[path];
      if (saved && formatShape(saved.shape) === formatShape(leaf.shape) && saved.dtype === leaf.dtype)
        return saved;
      throw new InputError(
        `The snapshot does not fit the memory of '${this.#model.name}': '${path}' should be ${leaf.dtype} ${formatShape(leaf.shape)}, but is ${saved ? `${saved.dtype} ${formatShape(saved.shape)}` : 'missing'}.`,
      );
    });
  }

  #fingerprint(): string {
    const { name, config, vocabSize } = this.#model;
    return canonicalJson({ name, config, vocabSize });
  }

  #checkOrigin(snapshot: SessionSnapshot): void {
    if (snapshot.model !== this.#fingerprint()) {
      throw new InputError(
        `The snapshot belongs to the model ${snapshot.model}, but this session runs ${this.#fingerprint()}.`,
      );
    }
    const { parametersId } = this.#options;
    if (
      parametersId !== undefined &&
      snapshot.parametersId !== undefined &&
      parametersId !== snapshot.parametersId
    ) {
      throw new InputError(
        `The snapshot was taken with the parameters '${snapshot.parametersId}', but this session has '${parametersId}'; a memory fits only the parameters that wrote it.`,
      );
    }
  }
}
