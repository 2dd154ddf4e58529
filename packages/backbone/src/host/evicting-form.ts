import type { DecodingKernels } from '@palimpsest/base';
import { HostBlocks, type LayerEntries, type TokenWatch } from './blocks.js';
import { fitsHostCache, type HostWeights } from './weights.js';

/** A layer of an evicting cache on the processor, in order of age: every head has its own first entry, and all end together. */
export interface HostLayer extends LayerEntries {
  end: number;
}

/** Tokens of a transformer on the processor, over caches whose layers and heads hold entries of their own. */
export class EvictingHostForm {
  readonly kernels: DecodingKernels;
  readonly #blocks: HostBlocks;

  constructor(private readonly weights: HostWeights) {
    this.kernels = weights.kernels;
    this.#blocks = new HostBlocks(weights);
  }

  /** Whether a cache of so many slots is small enough for the processor. */
  fits(slots: number): boolean {
    return fitsHostCache(this.weights.config, slots);
  }

  /**
   * Reads a token into the slot behind the newest entry of every layer.
   * @param position of the token
   * @param layers with room for it; their `end` moves on
   * @param watch is told what the token's queries look at
   * @returns logits, `[vocabSize]`
   */
  read(id: number, position: number, layers: readonly HostLayer[], watch?: TokenWatch): Float32Array {
    for (const layer of layers) layer.end += 1;
    this.#blocks.read(id, position, layers, (layer) => layers[layer]!.end - 1, true, watch);
    return this.kernels.view(this.#blocks.logits, this.weights.config.vocabSize).slice();
  }

  /** Room for keys or values of so many slots. */
  widthOf(slots: number): number {
    const { keyValueHeads, headWidth } = this.weights.config;
    return keyValueHeads * slots * headWidth;
  }
}
