import { tf } from '@palimpsest/tensor-core';
import { longestWindow, spectrumWidth } from '../check-config.js';
import type { NAMMConfig } from '../config.js';
import { padTokens } from './attention-rows.js';
import { spectrum, transformMatrix } from './spectrum.js';
import { hopDecay } from './temporal-average.js';
import { windowWeights } from './window.js';

/** What is carried per layer between two pieces: tokens stand on the last axis. */
export type SpectrumStream<T = tf.Tensor> = {
  /** Average of the spectra, `[batch, heads, features, tokens]`. */
  readonly average: T;
  /** The newest attention rows, which later windows reach back to, `[batch, heads, N - s up to N - 1, tokens]`; absent for none. */
  readonly ring?: T;
};

type StreamConfig = Pick<
  NAMMConfig,
  'nFft' | 'hopLength' | 'window' | 'outputMagnitudes' | 'emaCoeff' | 'scales'
>;

/** Window lengths, in the order in which their bins stand side by side. */
const scalesOf = ({ scales, nFft }: StreamConfig): readonly number[] => scales ?? [nFft];

/** Rows that are kept at a hop: the reach of the longest window but for one hop. */
export const carriedRows = (config: StreamConfig): number => longestWindow(config) - config.hopLength;

/** Attention rows that were read, and the spectra that they completed. */
export interface RowsRead {
  readonly ring?: tf.Tensor;
  /** One per hop, oldest first, `[batch, heads, features, tokens]`. */
  readonly frames: readonly tf.Tensor[];
}

/**
 * Reads more attention rows; a spectrum is due whenever a hop is complete.
 * @param rows `[batch, heads, queries, tokens]`; tokens the ring does not know stand at the end, and no earlier row saw them
 * @param before the ring; nothing before the first row
 * @param weightOf what a spectrum is multiplied by, from how many come after it. Default 1
 */
export function readRows(
  config: StreamConfig,
  rows: tf.Tensor,
  before: tf.Tensor | undefined,
  weightOf: (later: number) => number = () => 1,
): RowsRead {
  const { hopLength } = config;
  const [batch, heads, , tokens] = rows.shape as [number, number, number, number];
  const longest = longestWindow(config);
  const carry = carriedRows(config);
  const known = before ? padTokens(before, tokens) : carry > 0 && tf.zeros([batch, heads, carry, tokens]);
  const window = rowWindows(known || undefined, rows);
  const count = (known ? known.shape[2]! : 0) + rows.shape[2]!;
  const frames: tf.Tensor[] = [];
  let from = 0;
  for (; count - from >= longest; from += hopLength) {
    const weight = weightOf(Math.floor((count - from - longest) / hopLength));
    frames.push(spectra(config, window(from, from + longest), weight));
  }
  const ring = count > from && window(from, count);
  return { frames, ...(ring && { ring }) };
}

/**
 * Rows of two arrays one behind the other, without putting both side by side in full: a window that lies in one of them is cut
 * from it as it is.
 */
function rowWindows(
  first: tf.Tensor | undefined,
  second: tf.Tensor,
): (from: number, to: number) => tf.Tensor {
  const [batch, heads, , tokens] = second.shape as [number, number, number, number];
  const border = first ? first.shape[2]! : 0;
  const cut = (x: tf.Tensor, from: number, to: number) =>
    from === 0 && to === x.shape[2] ? x : tf.slice(x, [0, 0, from, 0], [batch, heads, to - from, tokens]);
  return (from, to) => {
    if (from >= border) return cut(second, from - border, to - border);
    if (to <= border) return cut(first!, from, to);
    return tf.concat([cut(first!, from, border), cut(second, 0, to - border)], 2);
  };
}

/**
 * Reads more attention rows: as soon as a hop is complete its spectrum joins the average. Rows can come in pieces of any size,
 * and give what the whole interval would (DERIVATION.md, "The average as a recursion").
 * @param rows as for `readRows`
 * @param before what was carried; nothing before the first row
 */
export function advanceStream(
  config: StreamConfig,
  rows: tf.Tensor,
  before: SpectrumStream | undefined,
): SpectrumStream {
  const [batch, heads, , tokens] = rows.shape as [number, number, number, number];
  const decay = hopDecay(config.emaCoeff, config.hopLength);
  const { ring, frames } = readRows(config, rows, before?.ring, (later) => (1 - decay) * decay ** later);
  const known = before
    ? padTokens(before.average, tokens)
    : tf.zeros([batch, heads, spectrumWidth(config), tokens]);
  // γ(γR + S₁) + S₂ = γ²R + γS₁ + S₂, and a spectrum grows with its window: the weights cost no pass of their own.
  const carried = frames.length > 0 ? tf.mul(known, decay ** frames.length) : known;
  const average = frames.reduce<tf.Tensor>((sum, frame) => tf.add(sum, frame), carried);
  return { average, ...(ring && { ring }) };
}

/** Spectra of every scale under windows that end with the newest row, times a weight, side by side on axis 2. */
function spectra(config: StreamConfig, rows: tf.Tensor, weight: number): tf.Tensor {
  const parts = scalesOf(config).map((length) => {
    const matrix = transformMatrix(windowWeights(config.window, length, config.hopLength));
    return spectrum(
      rows,
      tf.tensor2d(
        matrix.map((value) => weight * value),
        [length + 2, length],
      ),
      config.outputMagnitudes,
    );
  });
  return parts.length === 1 ? parts[0]! : tf.concat(parts, 2);
}
