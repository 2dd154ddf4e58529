import { InputError, type NDArray, type Rng, tf } from '@palimpsest/tensor-core';
import type { MakeHostMixer } from '../host/host-mixer.js';

/** Sizes of a stack of blocks. */
export interface Stack {
  /** Width of the residual stream. */
  readonly width: number;
  readonly layers: number;
}

export type Tensors = Readonly<Record<string, tf.Tensor>>;

/** What lets a block look back: everything in which the control models differ. */
export interface Mixer {
  /** Fresh parameters of a block by name; those called `kernel` or `norm` are not decayed. */
  init(rng: Rng, layer: number): Readonly<Record<string, NDArray>>;
  /** Memory before the first token; the batch is the first axis of every tensor. */
  start(batch: number): Tensors;
  /** The same for one token at a time on the processor, where it is written out and the widths allow it. */
  readonly host?: MakeHostMixer | undefined;
  /**
   * Any number of tokens >= 1, going on from a state.
   * @param x [batch, time, width]
   * @param shared what the blocks of one pass tell each other, from the first to the last
   * @returns [batch, time, width], and the state after the last token
   */
  mix(
    params: Tensors,
    x: tf.Tensor,
    state: Tensors,
    shared: Map<string, tf.Tensor>,
  ): readonly [tf.Tensor, Tensors];
}

/** Deviations of matrices at the start: 1 / √width, and of those that write into the residual stream, of which a block has two. */
export function deviations({ width, layers }: Stack): { readonly start: number; readonly residual: number } {
  const start = 1 / Math.sqrt(width);
  return { start, residual: start / Math.sqrt(2 * layers) };
}

/** A convolution's kernel at the start, [taps, width]. */
export function freshKernel(rng: Rng, taps: number, width: number): NDArray {
  return rng.uniformArray([taps, width], -1 / Math.sqrt(taps), 1 / Math.sqrt(taps));
}

/** @throws InputError when the heads do not divide the width. */
export function headWidth(width: number, heads: number): number {
  if (width % heads === 0) return width / heads;
  throw new InputError(
    `A width of ${width} cannot be split over ${heads} heads; choose a divisor of ${width}.`,
  );
}

/** [batch, time, heads · width] as [batch, heads, time, width]. */
export function splitHeads(x: tf.Tensor, heads: number): tf.Tensor {
  const [batch, time, width] = x.shape as [number, number, number];
  return tf.transpose(tf.reshape(x, [batch, time, heads, width / heads]), [0, 2, 1, 3]);
}

/** [batch, heads, time, width] as [batch, time, heads · width]. */
export function mergeHeads(x: tf.Tensor): tf.Tensor {
  const [batch, heads, time, width] = x.shape as [number, number, number, number];
  return tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [batch, time, heads * width]);
}
