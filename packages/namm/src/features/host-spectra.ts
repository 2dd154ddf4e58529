import {
  type DecodingKernels,
  isTransformed,
  type Place,
  planTransform,
  TILE,
  type Transform,
} from '@palimpsest/base';
import type { NDArray } from '@palimpsest/tensor-core';
import type { NAMMConfig } from '../config.js';
import type { HostObserver, HostRoom, ObservedLayer, ObservedShape } from '../policy/host-observer.js';
import type { PolicyState } from '../policy/policy.js';
import { ColumnTiles } from './column-tiles.js';
import { carriedRows } from './stream.js';
import { hopDecay } from './temporal-average.js';
import { windowWeights } from './window.js';

/**
 * `advanceStream` for single tokens on the processor.
 * @returns nothing for windows whose transform is not written out, or for features other than magnitudes
 */
export function hostSpectra(config: NAMMConfig, kernels: DecodingKernels): HostObserver | undefined {
  const { nFft, hopLength, scales, outputMagnitudes, window, emaCoeff } = config;
  if (scales || !outputMagnitudes || !isTransformed(nFft)) return undefined;
  const decay = hopDecay(emaCoeff, hopLength);
  const weights = windowWeights(window, nFft, hopLength).map((weight) => (1 - decay) * weight);
  const plan = { transform: planTransform(kernels, weights), decay, hopLength, carry: carriedRows(config) };
  return { open: (room, shape, state) => new LayerSpectra(kernels, plan, room, shape, state) };
}

interface Plan {
  readonly transform: Transform;
  readonly decay: number;
  readonly hopLength: number;
  readonly carry: number;
}

/** Of every head averages `[bins, columns]`, then the rows of one window, `[N, columns]`, of which the oldest is overwritten next. */
class LayerSpectra implements ObservedLayer {
  readonly headStride: number;
  readonly #bins: number;
  /** Lines of a head. */
  readonly #lines: number;
  readonly #tiles: ColumnTiles;
  /** The oldest row, and how many there are. */
  #oldest = 0;
  #count: number;

  constructor(
    private readonly kernels: DecodingKernels,
    private readonly plan: Plan,
    room: HostRoom,
    private readonly shape: ObservedShape,
    state: PolicyState<NDArray> | undefined,
  ) {
    const { size } = plan.transform;
    const { heads, columns, end } = shape;
    this.#bins = size / 2 + 1;
    this.#lines = this.#bins + size;
    this.headStride = this.#lines * TILE;
    this.#tiles = new ColumnTiles(kernels, room, heads * this.#lines, columns);
    this.#tiles.reach(end + 1);
    const { average, ring } = state?.tokens ?? {};
    this.#count = ring ? ring.shape[2]! : average ? 0 : plan.carry;
    if (average) this.#tiles.put(average, this.#averageLine);
    if (ring) this.#tiles.put(ring, this.#ringLine);
  }

  get tiles(): Place {
    return this.#tiles.table;
  }

  get line(): number {
    return this.#ringLine(0, this.#count) * TILE;
  }

  get bytes(): number {
    return this.#tiles.bytes;
  }

  advance(end: number): void {
    const { transform, hopLength } = this.plan;
    this.#count += 1;
    if (this.#count === transform.size) {
      this.#transform(end);
      this.#oldest = (this.#oldest + hopLength) % transform.size;
      this.#count -= hopLength;
    }
    if (end < this.shape.columns) this.#tiles.reach(end + 1);
  }

  state(end: number): PolicyState<NDArray> {
    const { heads } = this.shape;
    const average = this.#tiles.take(heads, this.#bins, end, this.#averageLine);
    if (this.#count === 0) return { tokens: { average } };
    return { tokens: { average, ring: this.#tiles.take(heads, this.#count, end, this.#ringLine) } };
  }

  dispose(): void {
    this.#tiles.dispose();
  }

  #transform(end: number): void {
    const { transform, decay } = this.plan;
    const { heads, first } = this.shape;
    for (let head = 0; head < heads; head++) {
      const columns = { first: first[head]!, end };
      const own = {
        tiles: this.#tiles.table,
        head: head * this.headStride,
        oldest: this.#oldest,
        ...columns,
      };
      this.kernels.spectra.fadeIn(transform, own, decay);
    }
  }

  readonly #averageLine = (head: number, bin: number): number => head * this.#lines + bin;

  readonly #ringLine = (head: number, row: number): number =>
    head * this.#lines + this.#bins + ((this.#oldest + row) % this.plan.transform.size);
}
