import { type Engine, ndarray } from '@palimpsest/tensor-core';
import { CausalDecoder, type CausalDecoderOptions } from '../decoder/decoder.js';
import type { RsmModel } from '../sequence-model.js';
import type { NextTokenReader } from './next-token-reader.js';

/**
 * Generation of the causal wirings: a text is streamed through the memory, whole chunks at once where it stands at the start
 * of one, and a new token costs the same however long the text is.
 */
export class DecoderReader implements NextTokenReader {
  #logits: Float32Array = new Float32Array();

  private constructor(private readonly decoder: CausalDecoder) {}

  /** @param params on the host, or on the engine (they stay the caller's). */
  static async create(engine: Engine, model: RsmModel, params: unknown): Promise<DecoderReader> {
    const options = { engine, model, params } as CausalDecoderOptions;
    return new DecoderReader(await CausalDecoder.create(options));
  }

  readDocument(ids: ArrayLike<number>): Promise<void> {
    return this.read(ids);
  }

  async read(ids: ArrayLike<number>): Promise<void> {
    const { decoder } = this;
    const { chunkSize } = decoder.model.options;
    for (let from = 0; from < ids.length; ) {
      const isWhole = decoder.position === 0 && ids.length - from >= chunkSize;
      const piece = Int32Array.from({ length: isWhole ? chunkSize : 1 }, (_, index) => ids[from + index]!);
      this.#logits = isWhole
        ? await decoder.prefill(ndarray(piece, [1, chunkSize], 'int32'))
        : await decoder.next(piece);
      from += piece.length;
    }
  }

  async logits(): Promise<Float32Array> {
    return this.#logits;
  }

  dispose(): Promise<void> {
    return this.decoder.dispose();
  }
}
