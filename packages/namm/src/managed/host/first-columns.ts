import type { HostLayer } from '@palimpsest/backbone';
import type { DecodingKernels, Place } from '@palimpsest/base';
import type { PlacePool } from './place-pool.js';

/** The first column of every head of every layer that holds a token, where kernels read it. */
export class FirstColumns {
  readonly #place: Place;
  readonly #heads: number;
  readonly #count: number;

  constructor(
    kernels: DecodingKernels,
    private readonly pool: PlacePool,
    layers: readonly HostLayer[],
  ) {
    this.#heads = layers[0]!.first.length;
    this.#count = Math.ceil((layers.length * this.#heads) / 4) * 4;
    this.#place = pool.take(this.#count);
    for (const [layer, { first }] of layers.entries()) kernels.numbers.set(first, this.of(layer));
  }

  of(layer: number): Place {
    return this.#place + layer * this.#heads;
  }

  dispose(): void {
    this.pool.give(this.#place, this.#count);
  }
}
