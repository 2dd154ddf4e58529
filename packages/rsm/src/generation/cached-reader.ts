import { type AnySequenceModel, Session } from '@palimpsest/lm';
import type { Engine } from '@palimpsest/tensor-core';
import type { NextTokenReader } from './next-token-reader.js';

/**
 * Generation of the causal wirings: the text is streamed chunk by chunk through the memory, the tokens of the chunk at hand
 * are kept as keys and values, and a token costs the same however long the text is.
 */
export class CachedReader implements NextTokenReader {
  readonly #session: Session;

  private constructor(session: Session) {
    this.#session = session;
  }

  /** @param params on the host, or on the engine (they stay the caller's). */
  static async create(engine: Engine, model: AnySequenceModel, params: unknown): Promise<CachedReader> {
    return new CachedReader(await Session.create({ engine, model, params }));
  }

  async readDocument(ids: ArrayLike<number>): Promise<void> {
    await this.#session.append(ids);
  }

  async read(ids: ArrayLike<number>): Promise<void> {
    await this.#session.append(ids);
  }

  logits(): Promise<Float32Array> {
    return this.#session.logits();
  }

  async dispose(): Promise<void> {
    await this.#session.dispose();
  }
}
