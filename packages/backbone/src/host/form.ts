import type { DecodingKernels, Place } from '@palimpsest/base';
import type { HostForm, HostMemory } from '@palimpsest/lm';
import { slotsOf } from '../cache.js';
import { HostBlocks } from './blocks.js';
import type { HostWeights } from './weights.js';

/** Where a layer's keys and values lie, `[keyValueHeads, slots, headWidth]`. */
interface LayerPlaces {
  readonly keys: Place;
  readonly values: Place;
}

/** Tokens of a transformer on the processor, over a cache of fixed size whose entries lie in its first slots. */
export class TransformerHostForm implements HostForm {
  readonly kernels: DecodingKernels;
  readonly vocabSize: number;
  readonly logits: Place;
  readonly #blocks: HostBlocks;
  readonly #slots: number;

  constructor(private readonly weights: HostWeights) {
    this.#blocks = new HostBlocks(weights);
    this.kernels = weights.kernels;
    this.vocabSize = weights.config.vocabSize;
    this.logits = this.#blocks.logits;
    this.#slots = slotsOf(weights.config);
  }

  open({ floats, ints }: HostMemory): (id: number, wanted: boolean) => void {
    const { blocks, config } = this.weights;
    const [position, held] = [ints.position!, ints.positions!];
    const slots = this.#slots;
    const first = new Int32Array(config.keyValueHeads);
    const layers = blocks.map((_block, layer) => ({
      keys: floats[`layers.${layer}.keys`]!,
      values: floats[`layers.${layer}.values`]!,
      ...{ slots, first, end: 0 },
    }));
    return (id, wanted) => {
      const place = position[0]!;
      const slot = this.#slotFor(held, layers);
      held[slot] = place;
      position[0] = place + 1;
      const end = Math.max(slot + 1, held[slots - 1]! >= 0 ? slots : 0);
      for (const layer of layers) layer.end = end;
      this.#blocks.read(id, place, layers, () => slot, wanted);
    };
  }

  /** The first empty slot, or that of the oldest entry. Entries that others left elsewhere move to the first slots before. */
  #slotFor(held: Int32Array, layers: readonly LayerPlaces[]): number {
    let [oldest, entries] = [0, 0];
    for (let slot = 0; slot < held.length; slot++) {
      if (held[slot]! >= 0) entries += 1;
      if (held[slot]! < held[oldest]!) oldest = slot;
    }
    if (entries < held.length && oldest !== entries) {
      this.#pack(held, layers);
      return entries;
    }
    return oldest;
  }

  #pack(held: Int32Array, layers: readonly LayerPlaces[]): void {
    const { keyValueHeads, headWidth } = this.weights.config;
    const { numbers } = this.kernels;
    let to = 0;
    for (let from = 0; from < held.length; from++) {
      if (held[from]! < 0) continue;
      if (to < from) {
        held[to] = held[from]!;
        held[from] = -1;
        for (const place of layers.flatMap(({ keys, values }) => [keys, values])) {
          for (let head = 0; head < keyValueHeads; head++) {
            const row = place + head * held.length * headWidth;
            numbers.copyWithin(row + to * headWidth, row + from * headWidth, row + (from + 1) * headWidth);
          }
        }
      }
      to += 1;
    }
  }
}
