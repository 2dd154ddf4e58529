import { type AttentionCache, createAttentionCache, type Place } from '@palimpsest/base';
import type { HostMatrix, HostNorm, HostWeights } from './host-weights.js';

/** Keys and values of one text, S + N + S columns of every layer and pass. */
export type Cache = readonly (readonly AttentionCache[])[];

/** Room for one row on its way. */
interface Scratch {
  readonly row: Place;
  readonly inner: Place;
  readonly branch: Place;
  readonly packed: Place;
  readonly heads: Place;
  readonly hidden: Place;
  readonly gate: Place;
  readonly pair: Place;
  readonly window: Place;
  readonly logits: Place;
}

/** What all decoders over one set of weights share: weights, scratch, and the caches that are free again. */
export class HostRoom {
  readonly scratch: Scratch;
  readonly #free: Cache[] = [];

  constructor(readonly weights: HostWeights) {
    const { kernels, config, plans } = weights;
    const { dimInput: d, dimHidden: h, numHeads: H, initNgrams, vocabSize } = config;
    const widest = (of: (plan: (typeof plans)[number]) => number) => Math.max(...plans.map(of));
    const room = (count: number) => kernels.allocate(count + 4);
    this.scratch = {
      row: room(d),
      inner: room(d),
      branch: room(Math.max(d, h)),
      packed: room(H * widest(({ packedWidth }) => packedWidth)),
      heads: room(H * widest(({ valueWidth }) => valueWidth)),
      hidden: room(Math.max(d, h)),
      gate: room(Math.max(d, h)),
      pair: room(2 * d),
      window: room(d * Math.max(1, ...initNgrams)),
      logits: room(vocabSize),
    };
  }

  /** A cache, of any content. */
  take(): Cache {
    const free = this.#free.pop();
    if (free) return free;
    const { kernels, config, plans, bits } = this.weights;
    const columns = 2 * config.stateLen + config.segmentLen;
    const ofPass = ({ keyWidth, valueWidth }: (typeof plans)[number]) =>
      createAttentionCache(kernels, { heads: config.numHeads, columns, keyWidth, valueWidth }, bits);
    return Array.from({ length: config.numLayers }, () => plans.map(ofPass));
  }

  give(cache: Cache): void {
    this.#free.push(cache);
  }

  /** y = W x + bias, with negative ones cut off if `relu`. */
  multiply(y: Place, { weight, bias }: HostMatrix, x: Place, relu = false): void {
    this.weights.kernels.multiply(y, weight, x, bias, relu);
  }

  /** sum += branch; y = its layer normalisation. */
  addNormalised(y: Place, sum: Place, branch: Place, { gain, bias }: HostNorm): void {
    const { kernels, config } = this.weights;
    kernels.addNormalised(y, sum, branch, gain, bias, config.dimInput);
  }
}
