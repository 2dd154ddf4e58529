import {
  DecodingKernels,
  hasDecodingKernels,
  type NDArray,
  type Place,
  type StoredBits,
  type StoredMatrix,
} from '@palimpsest/base';
import type { OmConfig } from '../config.js';
import type {
  GatedParams,
  LayerParams,
  MlpParams,
  NormParams,
  OmParams,
  ProjectionParams,
} from '../parameters.js';
import { layerNumbers, type PassPlan, paddedVocabulary, passPlans, tableLength } from '../plan.js';
import { angleTable } from '../rotary.js';

/** Weights up to this many bytes are decoded on the processor: beyond, the graph's threads read them faster. */
const MOST_BYTES = 2 ** 28;

/** Whether a model can be decoded by the kernels of the processor, and is small enough that this is the faster way. */
export function prefersHost(config: OmConfig): boolean {
  const { dimInput: d, dimHidden: h, dimsKey, dimsValue, numIters, numLayers, mlp1221 } = config;
  const isPlain =
    config.edition === 'head' && !config.cope && !config.diffAttn && numIters.every((i) => i === 1);
  const widths = [d, mlp1221 ? Math.floor(h / 2) : h, ...dimsKey, ...dimsValue];
  const bytes = 4 * (numLayers * layerNumbers(config) + paddedVocabulary(config) * d);
  return isPlain && widths.every((width) => width % 4 === 0) && bytes <= MOST_BYTES && hasDecodingKernels();
}

export interface HostNorm {
  readonly gain: Place;
  readonly bias: Place;
}

/** A matrix as `multiply` reads it. */
export interface HostMatrix {
  readonly weight: StoredMatrix;
  readonly bias: Place;
}

export type HostMlp =
  | { readonly plain: readonly HostMatrix[]; readonly beta: number }
  | {
      readonly gated: readonly {
        readonly gate: HostMatrix;
        readonly value: HostMatrix;
        readonly beta: number;
      }[];
    }
  | { readonly gate: HostMatrix; readonly value: HostMatrix; readonly output: HostMatrix };

export interface HostLayer {
  /** Of every pass for rows of tokens: a matrix for all heads in the first, a block per head in the others. */
  readonly token: readonly HostMatrix[];
  /** The same for rows of states. */
  readonly state: readonly HostMatrix[];
  /** Inner and output projection in one. */
  readonly tokenOutput: HostMatrix;
  readonly stateOutput: HostMatrix;
  readonly attentionNorm: HostNorm;
  readonly mlp: HostMlp;
  readonly mlpNorm: HostNorm;
  readonly stateNorm: HostNorm;
  readonly stateGate: HostMatrix | undefined;
}

/** Angles of a pass for every row of the layout. */
export interface HostAngles {
  readonly pairs: number;
  readonly cos: Place;
  readonly sin: Place;
}

export interface HostNgram {
  readonly size: number;
  readonly down: HostMatrix;
  readonly up: HostMatrix;
}

const align = (count: number) => Math.ceil(count / 4) * 4;

/** Parameters in the memory of the kernels. */
export class HostWeights {
  readonly kernels = new DecodingKernels();
  readonly plans: readonly PassPlan[];
  readonly layers: readonly HostLayer[];
  readonly ngrams: readonly HostNgram[];
  readonly angles: readonly (HostAngles | undefined)[];
  readonly embedding: Float32Array;
  readonly head: HostMatrix;
  /** As many zeros as any row is wide. */
  readonly zeros: Place;

  constructor(
    readonly config: OmConfig,
    params: OmParams<NDArray>,
    /** Of matrices, and of keys and values. */
    readonly bits: StoredBits = 32,
  ) {
    const { kernels } = this;
    this.plans = passPlans(config);
    const widest = Math.max(
      paddedVocabulary(config),
      config.dimHidden,
      config.dimInput * Math.max(2, ...config.initNgrams),
      ...this.plans.map(({ packedWidth }) => config.numHeads * packedWidth),
    );
    this.zeros = kernels.allocate(widest + 4);
    this.embedding = params.embedding.data as Float32Array;
    this.layers = Array.from({ length: config.numLayers }, (_, layer) => this.#layer(params.layers, layer));
    this.ngrams = (params.ngrams ?? []).map(({ down, up }, i) =>
      this.#ngram(config.initNgrams[i]!, down, up),
    );
    this.head = this.#rows(params.head.weight.data, config.vocabSize, config.dimInput);
    this.angles = this.plans.map((plan) => {
      if (!plan.rope) return undefined;
      const { turned, base } = plan.rope;
      const { cos, sin } = angleTable(config.ropeVariant, turned, base, tableLength(config));
      return { pairs: turned / 2, cos: kernels.store(cos), sin: kernels.store(sin) };
    });
  }

  /** A matrix [rows, columns]. */
  #rows(values: ArrayLike<number>, rows: number, columns: number, bias?: ArrayLike<number>): HostMatrix {
    const weight = this.kernels.storeMatrix(values, rows, columns, this.bits);
    return { weight, bias: bias ? this.kernels.store(bias) : this.zeros };
  }

  /** A matrix [columns, rows] of ours, from `start` on, whose rows are `stride` apart. */
  #turned(
    data: ArrayLike<number>,
    start: number,
    columns: number,
    rows: number,
    stride = rows,
  ): Float32Array {
    const result = new Float32Array(rows * columns);
    for (let column = 0; column < columns; column++) {
      for (let row = 0; row < rows; row++)
        result[row * columns + column] = data[start + column * stride + row]!;
    }
    return result;
  }

  #map(weight: NDArray, layer: number, bias?: NDArray): HostMatrix {
    const [, columns, rows] = weight.shape as [number, number, number];
    const values = this.#turned(weight.data, layer * columns * rows, columns, rows);
    return this.#rows(values, rows, columns, bias?.data.subarray(layer * rows, (layer + 1) * rows));
  }

  #norm({ gain, bias }: NormParams<NDArray>, layer: number): HostNorm {
    const d = this.config.dimInput;
    const own = (leaf: NDArray) => this.kernels.store(leaf.data.subarray(layer * d, (layer + 1) * d));
    return { gain: own(gain), bias: own(bias) };
  }

  #layer(params: LayerParams<NDArray>, layer: number): HostLayer {
    const region = (name: 'token' | 'state') =>
      this.plans.map((plan) => this.#projection(plan, params.passes[plan.index]!.projections[name]!, layer));
    return {
      token: region('token'),
      state: region('state'),
      tokenOutput: this.#output(params, 'token', layer),
      stateOutput: this.#output(params, 'state', layer),
      attentionNorm: this.#norm(params.attentionNorm, layer),
      mlp: this.#mlp(params.mlp, layer),
      mlpNorm: this.#norm(params.mlpNorm, layer),
      stateNorm: this.#norm(params.stateNorm!, layer),
      stateGate: params.stateGate && this.#gate(params.stateGate, layer),
    };
  }

  #projection(plan: PassPlan, { qkv }: ProjectionParams<NDArray>, layer: number): HostMatrix {
    const { inputWidth: c, packedWidth: e, index } = plan;
    const H = this.config.numHeads;
    if (index === 0) return this.#map(qkv, layer);
    const values = new Float32Array(H * e * c);
    for (let head = 0; head < H; head++) {
      values.set(this.#turned(qkv.data, (layer * H + head) * c * e, c, e), head * e * c);
    }
    return { weight: this.kernels.storeMatrix(values, e, c, this.bits, H), bias: this.zeros };
  }

  /** Output projection of all heads, with the inner one multiplied in: `[d, H·ν]`. */
  #output(params: LayerParams<NDArray>, region: 'token' | 'state', layer: number): HostMatrix {
    const { numHeads: H, dimInput: d } = this.config;
    const width = this.plans.at(-1)!.valueWidth;
    const outer = params.output[region];
    const rank = outer.shape[1]! / H;
    const start = layer * H * rank * d;
    const inner = params.inner?.[region];
    if (!inner) return this.#rows(this.#turned(outer.data, start, H * rank, d), d, H * rank);
    const result = new Float32Array(d * H * width);
    for (let head = 0; head < H; head++) {
      for (let i = 0; i < width; i++) {
        const from = ((layer * H + head) * width + i) * rank;
        for (let r = 0; r < rank; r++) {
          const factor = inner.data[from + r]!;
          const row = start + (head * rank + r) * d;
          for (let out = 0; out < d; out++)
            result[out * H * width + head * width + i]! += factor * outer.data[row + out]!;
        }
      }
    }
    return this.#rows(result, d, H * width);
  }

  /** The gated update's matrix, with its fixed bias. */
  #gate(weight: NDArray, layer: number): HostMatrix {
    const { dimInput: d, stateGateBias } = this.config;
    const values = this.#turned(weight.data, layer * 2 * d * d, 2 * d, d);
    return this.#rows(values, d, 2 * d, new Float32Array(d).fill(stateGateBias));
  }

  #mlp(params: MlpParams<NDArray>, layer: number): HostMlp {
    if ('plain' in params) {
      const plain = params.plain.map(({ weight, bias }) => this.#map(weight, layer, bias));
      return { plain, beta: params.beta?.data[layer] ?? 1 };
    }
    if ('gated' in params) {
      return {
        gated: params.gated.map(({ gate, gateBias, value, valueBias, beta }: GatedParams<NDArray>) => ({
          gate: this.#map(gate, layer, gateBias),
          value: this.#map(value, layer, valueBias),
          beta: beta?.data[layer] ?? 1,
        })),
      };
    }
    const { gate, value, output } = params;
    return { gate: this.#map(gate, layer), value: this.#map(value, layer), output: this.#map(output, layer) };
  }

  /** The rank is filled up to a multiple of 4 with zeros. */
  #ngram(size: number, down: NDArray, up: NDArray): HostNgram {
    const d = this.config.dimInput;
    const rank = down.shape[0]!;
    const padded = align(rank);
    const wide = new Float32Array(d * padded);
    for (let row = 0; row < d; row++) wide.set(up.data.subarray(row * rank, (row + 1) * rank), row * padded);
    return { size, down: this.#rows(down.data, rank, size * d), up: this.#rows(wide, d, padded) };
  }
}
