import { type AnySequenceModel, Session } from '@palimpsest/lm';
import type { Engine } from '@palimpsest/tensor-core';
import type { NextTokenReader } from './next-token-reader.js';

/** Generation by the model's own step, for what the decoder does not take: a sliding window. */
export class SessionReader implements NextTokenReader {
  readonly #session: Session;

  private constructor(session: Session) {
    this.#session = session;
  }

  /** @param params on the host, or on the engine (they stay the caller's). */
  static async create(engine: Engine, model: AnySequenceModel, params: unknown): Promise<SessionReader> {
    return new SessionReader(await Session.create({ engine, model, params }));
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
