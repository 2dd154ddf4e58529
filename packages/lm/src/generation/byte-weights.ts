import { type Engine, type NDArray, ndarray } from '@palimpsest/tensor-core';
import type { AnySequenceModel, TextReader } from '../sequence-model.js';
import { createDecoder, type Decoder, requireBytes } from './decoder.js';

/**
 * A model that is decoded with weights of 8 bits, whatever reads it: sessions, evaluations and tasks. Its `forward` and `step`
 * are those of 32 bits.
 * @throws InputError for a model whose decoder has no such weights.
 */
export function withByteWeights(model: AnySequenceModel): AnySequenceModel {
  requireBytes(model, 8);
  const inBytes: AnySequenceModel = {
    ...model,
    decoder: (engine, params, options) => model.decoder!(engine, params, { ...options, bits: 8 }),
    reader: (engine, params, batch) => DecodingReader.create(engine, inBytes, params, batch),
  };
  return inBytes;
}

/** Texts side by side, token by token, each by a decoder of its own. */
class DecodingReader implements TextReader {
  private constructor(
    private readonly decoders: readonly Decoder[],
    private readonly vocabSize: number,
  ) {}

  static async create(
    engine: Engine,
    model: AnySequenceModel,
    params: unknown,
    batch: number,
  ): Promise<DecodingReader> {
    const decoders = [await createDecoder(engine, model, params)];
    while (decoders.length < batch) decoders.push(await decoders[0]!.fork());
    return new DecodingReader(decoders, model.vocabSize);
  }

  async read({ data, shape }: NDArray): Promise<NDArray<'float32'>> {
    const time = shape[1]!;
    const logits = new Float32Array(this.decoders.length * time * this.vocabSize);
    for (const [lane, decoder] of this.decoders.entries()) {
      for (let at = lane * time; at < (lane + 1) * time; at++) {
        logits.set(await decoder.read([Number(data[at])]), at * this.vocabSize);
      }
    }
    return ndarray(logits, [this.decoders.length, time, this.vocabSize]);
  }

  async reset(): Promise<void> {
    for (const decoder of this.decoders) await decoder.reset();
  }

  get stateBytes(): number {
    return this.decoders.reduce((sum, decoder) => sum + decoder.stateBytes, 0);
  }

  /** A memory that is decoded with does not grow. */
  get largestStateBytes(): number {
    return this.stateBytes;
  }

  async dispose(): Promise<void> {
    for (const decoder of this.decoders) await decoder.dispose();
  }
}
