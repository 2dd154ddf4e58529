import {
  type DecodingKernels,
  isTransformed,
  type Place,
  planTransform,
  type Transform,
} from '@palimpsest/base';
import { type NDArray, ndarray } from '@palimpsest/tensor-core';
import type { NAMMConfig } from '../config.js';
import type { HostObserver, ObservedLayer, ObservedShape } from '../policy/host-observer.js';
import type { PolicyState } from '../policy/policy.js';
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
  return {
    numbers: (columns) => (nFft / 2 + 1 + nFft) * lineOf(columns),
    open: (place, shape, state) => new LayerSpectra(kernels, plan, place, shape, state),
  };
}

interface Plan {
  readonly transform: Transform;
  readonly decay: number;
  readonly hopLength: number;
  readonly carry: number;
}

/** From so many columns on, lines that are powers of two apart would meet in few sets of the processor's cache. */
const WIDE = 256;

/** Numbers of a line of so many columns: where there are many, an odd multiple of 16. */
const lineOf = (columns: number): number =>
  columns < WIDE ? columns : 32 * Math.ceil((columns - 16) / 32) + 16;

/** Averages `[heads, bins, line]` and the rows of one window, `[heads, N, line]`, of which the oldest is overwritten next. */
class LayerSpectra implements ObservedLayer {
  readonly #bins: number;
  readonly #line: number;
  readonly headStride: number;
  /** The oldest row, and how many there are. */
  #oldest = 0;
  #count: number;

  constructor(
    private readonly kernels: DecodingKernels,
    private readonly plan: Plan,
    private readonly place: Place,
    private readonly shape: ObservedShape,
    state: PolicyState<NDArray> | undefined,
  ) {
    const { size } = plan.transform;
    const { heads, columns } = shape;
    this.#bins = size / 2 + 1;
    this.#line = lineOf(columns);
    this.headStride = size * this.#line;
    kernels.numbers.fill(0, place, place + heads * (this.#bins + size) * this.#line);
    const { average, ring } = state?.tokens ?? {};
    this.#count = ring ? ring.shape[2]! : average ? 0 : plan.carry;
    if (average) this.#put(average, (head, bin) => this.#averageAt(head) + bin * this.#line);
    if (ring) this.#put(ring, (head, row) => this.#rowAt(head, row));
  }

  next(): Place {
    return this.#rowAt(0, this.#count);
  }

  advance(end: number): void {
    const { transform, decay, hopLength } = this.plan;
    const { heads, first } = this.shape;
    this.#count += 1;
    if (this.#count < transform.size) return;
    for (let head = 0; head < heads; head++) {
      const from = first[head]! - (first[head]! % 4);
      const average = this.#averageAt(head) + from;
      const ring = this.#ringAt(head) + from;
      const spectra = { average, ring, oldest: this.#oldest, stride: this.#line };
      this.kernels.spectra.fadeIn(transform, spectra, end - from, decay);
    }
    this.#oldest = (this.#oldest + hopLength) % transform.size;
    this.#count -= hopLength;
  }

  state(end: number): PolicyState<NDArray> {
    const average = this.#take(this.#bins, end, (head, bin) => this.#averageAt(head) + bin * this.#line);
    if (this.#count === 0) return { tokens: { average } };
    return { tokens: { average, ring: this.#take(this.#count, end, (head, row) => this.#rowAt(head, row)) } };
  }

  #averageAt(head: number): Place {
    return this.place + head * this.#bins * this.#line;
  }

  #ringAt(head: number): Place {
    return this.#averageAt(this.shape.heads) + head * this.headStride;
  }

  #rowAt(head: number, row: number): Place {
    return this.#ringAt(head) + ((this.#oldest + row) % this.plan.transform.size) * this.#line;
  }

  /** Copies `[1, heads, lines, tokens]` to where its lines belong. */
  #put({ data, shape }: NDArray, lineAt: (head: number, line: number) => Place): void {
    const [, heads, lines, tokens] = shape as [number, number, number, number];
    for (let line = 0; line < heads * lines; line++) {
      const to = lineAt(Math.floor(line / lines), line % lines);
      this.kernels.numbers.set(data.subarray(line * tokens, (line + 1) * tokens), to);
    }
  }

  /** The first columns of lines, `[1, heads, lines, tokens]`. */
  #take(lines: number, tokens: number, lineAt: (head: number, line: number) => Place): NDArray<'float32'> {
    const { heads } = this.shape;
    const data = new Float32Array(heads * lines * tokens);
    for (let line = 0; line < heads * lines; line++) {
      const from = lineAt(Math.floor(line / lines), line % lines);
      data.set(this.kernels.view(from, tokens), line * tokens);
    }
    return ndarray(data, [1, heads, lines, tokens]);
  }
}
