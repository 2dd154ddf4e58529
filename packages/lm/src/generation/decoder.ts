import { type Engine, InputError, type NDArray } from '@palimpsest/tensor-core';
import type { AnySequenceModel } from '../sequence-model.js';
import { StepDecoder } from './step-decoder.js';

/** How a decoder is built. A model's own decoder may leave out what does not apply to it. */
export interface DecoderOptions {
  /**
   * Bake the parameters into the graph of the step, which lets the engine pack them ahead of time. Right when they no
   * longer change. Default true.
   */
  readonly freeze?: boolean;
  /**
   * Numbers of tokens that are read by one call of `forward`, largest first; the rest goes step by step. Default [64, 8], and
   * fewer than 16 step by step.
   */
  readonly chunks?: readonly number[];
  /**
   * Bits of the weights, for models that say `decodesBytes`: with 8, every row of a matrix is whole numbers from -127 to 127
   * times a step of its own, which is read faster and is less exact. Default 32.
   */
  readonly bits?: 8 | 32;
}

/**
 * One text being read by a model, in whatever form decodes fastest: the memory after the last token, and the logits for the
 * next. A decoder is the engine room of a session; it knows nothing of drawing.
 */
export interface Decoder {
  /** Reads at least one token. @returns logits after the last of them, [vocabSize]; the caller's to keep. */
  read(ids: ArrayLike<number>): Promise<Float32Array>;
  /** Makes room for so many further tokens at once, where a memory grows with what it holds. */
  reserve?(tokens: number): Promise<void>;
  /** Copy of the memory on the host: the tree that the model's own `initState` and `step` speak of, for a batch of one. */
  state(): Promise<unknown>;
  /**
   * The memory that a snapshot holds by paths, for memories whose shapes depend on what was read. Without it the shapes must be
   * those of the present memory.
   * @throws InputError for arrays that are no memory of this model.
   */
  stateOf?(arrays: Readonly<Record<string, NDArray>>): unknown;
  /** Goes on from a memory on the host, as `state` gives it. The tree is not changed. */
  restore(state: unknown): Promise<void>;
  /** Forgets everything: the memory before the first token. */
  reset(): Promise<void>;
  /** An independent decoder with the same past. What is compiled or packed is shared. */
  fork(): Promise<Decoder>;
  /** The memory in the model's smaller form, which is equal but for rounding; absent where a model has none. */
  readonly compact?:
    | {
        /** Copy of what is kept, on the host. */
        state(): Promise<unknown>;
        /** Goes on from what was kept. */
        restore(state: unknown): Promise<void>;
      }
    | undefined;
  /** Bytes of the memory as it is held between two tokens. */
  readonly stateBytes: number;
  /** Gives the memory back, and what is compiled when no fork needs it any more. */
  dispose(): Promise<void>;
}

/**
 * The fastest way to decode with a model: its own decoder, or else its `step` and `forward`, compiled.
 * @param params on the host, or on the engine (they stay the caller's and must outlive the decoder).
 * @throws InputError for `bits` that the model's decoder does not have.
 */
export async function createDecoder(
  engine: Engine,
  model: AnySequenceModel,
  params: unknown,
  options: DecoderOptions = {},
): Promise<Decoder> {
  const { bits = 32 } = options;
  if (bits !== 32) requireBytes(model, bits);
  return model.decoder?.(engine, params, options) ?? StepDecoder.create(engine, model, params, options);
}

/** @throws InputError when a model's decoder has no weights of so few bits. */
export function requireBytes(model: AnySequenceModel, bits: number): void {
  if (bits !== 8) throw new InputError(`Weights are decoded in 32 bits or in 8, but ${bits} was given.`);
  if (model.decodesBytes && model.decoder) return;
  throw new InputError(
    `A model of the kind '${model.name}' with these options is not decoded in 8 bits; leave the bits of its weights away.`,
  );
}
