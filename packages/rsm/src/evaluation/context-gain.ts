import { Rng } from '@palimpsest/tensor-core';
import { type MemoryStream, rowsOf } from './memory-stream.js';

export interface ContextGain {
  /** Chunks read before the loss is taken, the scored one included. */
  readonly chunks: number;
  /** Nats per token of the last chunk, mean over windows. */
  readonly loss: number;
  readonly standardError: number;
  /** exp(loss). */
  readonly perplexity: number;
  /** loss / ln 2: bits per token. */
  readonly bits: number;
}

export interface ContextGainOptions {
  readonly chunk: number;
  /** Contexts to compare, in chunks. Default 1, 2, 4, 8, 16. */
  readonly contexts?: readonly number[];
  /** Places of the text that are scored, the same for every context. Default 64. */
  readonly windows?: number;
  readonly seed?: number;
}

/**
 * Does older memory help? The same places of a held-out text are read with a fresh memory that starts 1, 2, 4 … chunks
 * before their end; only the last chunk is scored.
 */
export async function measureContextGain(
  stream: MemoryStream,
  text: Int32Array,
  options: ContextGainOptions,
): Promise<ContextGain[]> {
  const { chunk, contexts = [1, 2, 4, 8, 16], windows = 64, seed = 0 } = options;
  const longest = Math.max(...contexts) * chunk;
  const rng = Rng.fromSeed(seed);
  const ends = Array.from({ length: windows }, () => longest + rng.int(Math.max(1, text.length - longest)));
  const gains: ContextGain[] = [];
  for (const chunks of contexts) {
    const texts = ends.map((end) => text.subarray(end - chunks * chunk, end));
    let state = await stream.initState(windows);
    let losses = new Float32Array();
    for (let index = 0; index < chunks; index++) {
      const read = await stream.read(rowsOf(texts, index * chunk, (index + 1) * chunk), state);
      ({ state } = read);
      losses = Float32Array.from(read.losses);
    }
    gains.push(summarise(chunks, losses, windows));
  }
  return gains;
}

function summarise(chunks: number, losses: Float32Array, windows: number): ContextGain {
  const perWindow = losses.length / windows;
  const means = Array.from(
    { length: windows },
    (_, row) =>
      losses.subarray(row * perWindow, (row + 1) * perWindow).reduce((sum, x) => sum + x, 0) / perWindow,
  );
  const loss = means.reduce((sum, x) => sum + x, 0) / windows;
  const variance = means.reduce((sum, x) => sum + (x - loss) ** 2, 0) / Math.max(1, windows - 1);
  return {
    chunks,
    loss,
    standardError: Math.sqrt(variance / windows),
    perplexity: Math.exp(loss),
    bits: loss / Math.LN2,
  };
}
