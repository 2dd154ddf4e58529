import { DecodingKernels, type NDArray, type Place, type StoredMatrix } from '@palimpsest/base';
import { blockConfig, type OsamConfig } from '../config.js';
import { valueDecays } from '../memory/memory.js';
import type { BlockParams, LinearParams, NormParams, OsamParams } from '../parameters.js';
import { keepsValues, valueWidth } from '../state.js';
import type { BlockPlan, CompactSketch } from '../tables.js';

export interface HostNorm {
  readonly gain: Place;
  readonly bias: Place;
}

/** A map as `multiply` reads it. */
export interface HostMap {
  readonly weight: StoredMatrix;
  readonly bias: Place;
}

/** Which used bucket a channel goes to, with which sign. */
export interface HostSketch {
  readonly index: Int32Array;
  readonly sign: Int8Array;
  /** Used buckets. */
  readonly width: number;
}

/** A block's weights, and what follows from its options. */
export interface HostBlock {
  readonly config: OsamConfig;
  readonly sketches: { readonly query: HostSketch; readonly key: HostSketch };
  /** For every pair of used buckets the place of its sum among the reachable ones. */
  readonly pairs: Int32Array;
  readonly decays: readonly number[];
  /** Width of one head's rows of the value memory, 0 without one. */
  readonly rows: number;
  readonly inputNorm: HostNorm | undefined;
  /** `[width, d]` */
  readonly convolution: Place | undefined;
  /** Query, value and key, one behind the other; or query and value, and the key apart. */
  readonly projections: HostMap;
  readonly mixedKey: { readonly map: HostMap; readonly share: Float32Array } | undefined;
  /** Raw share of its value that every head writes. */
  readonly writeGate: HostMap | undefined;
  readonly theta: { readonly query: number; readonly key: number };
  /** Radians per token, of one speed or of every channel. */
  readonly omega: Float32Array | undefined;
  readonly gates: { readonly feature: number; readonly value: number };
  readonly readout: { readonly hidden: HostMap; readonly output: HostMap; readonly live: number } | undefined;
  readonly valueProjection: { readonly norm: HostNorm; readonly hidden: HostMap; readonly output: HostMap };
  readonly norm: HostNorm | undefined;
  readonly mlp:
    | {
        readonly norm: HostNorm;
        readonly gate: HostMap | undefined;
        readonly up: HostMap;
        readonly down: HostMap;
      }
    | undefined;
}

const align = (count: number) => Math.ceil(count / 4) * 4;
export const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
/** Angles and speeds from what is learned. */
const half = (raw: number) => 0.5 * Math.tanh(raw);

/** Parameters of a model in the kernels' memory. */
export class HostWeights {
  readonly kernels = new DecodingKernels();
  readonly blocks: readonly HostBlock[];
  readonly embedding: Float32Array;
  readonly finalNorm: HostNorm | undefined;
  readonly head: HostMap;
  /** Of the logits. */
  readonly headScale: number;
  /** As many zeros as any map has outputs. */
  readonly zeros: Place;

  constructor(
    readonly config: OsamConfig,
    plans: readonly BlockPlan[],
    params: OsamParams<NDArray>,
  ) {
    const { dModel: d, vocabSize, readoutHidden, mlpRatio, tieEmbeddings, embeddingInitStd } = config;
    const widest = Math.max(vocabSize, 3 * d, readoutHidden, Math.round(d * mlpRatio));
    this.zeros = this.kernels.allocate(widest + 4);
    this.embedding = params.embedding.data as Float32Array;
    this.blocks = params.blocks.map((block, index) =>
      this.#block(blockConfig(config, index), plans[index]!, block),
    );
    this.finalNorm = params.finalNorm && this.#norm(params.finalNorm);
    this.head = this.#map(params.head?.weight ?? params.embedding);
    this.headScale = tieEmbeddings ? 1 / (embeddingInitStd * Math.sqrt(d)) : 1;
  }

  /** y = W x + bias. */
  multiply(y: Place, { weight, bias }: HostMap, x: Place): void {
    this.kernels.multiply(y, weight, x, bias);
  }

  #block(config: OsamConfig, plan: BlockPlan, params: BlockParams<NDArray>): HostBlock {
    const { query, key, value, valueProjection, mlp } = params;
    const bounded = ({ data }: NDArray) => half(data[0]!);
    const open = ({ data }: NDArray) => sigmoid(data[0]!);
    const raw = params.omega?.data as Float32Array | undefined;
    const bare = ({ weight }: { readonly weight: NDArray }) => this.#map(weight);
    return {
      config,
      sketches: { query: sketchOf(plan.query), key: sketchOf(plan.key) },
      pairs: plan.sums.pairToLive,
      decays: valueDecays(config),
      rows: keepsValues(config) ? valueWidth(config, plan) : 0,
      inputNorm: params.inputNorm && this.#norm(params.inputNorm),
      convolution: params.convolution && this.kernels.store(params.convolution.weight.data),
      projections: this.#stacked(
        params.keyMix ? [query.weight, value.weight] : [query.weight, value.weight, key.weight],
      ),
      mixedKey: params.keyMix && { map: bare(key), share: Float32Array.from(params.keyMix.data, sigmoid) },
      writeGate: params.writeGate && this.#affine(params.writeGate),
      theta: { query: bounded(params.thetaQuery), key: bounded(params.thetaKey) },
      omega: raw && config.omegaMode === 'scalar' ? raw.map(half) : raw,
      gates: {
        feature: config.gateCapFeat * open(params.gateFeature),
        value: config.gateCapVal * open(params.gateValue),
      },
      readout: params.readout && this.#readout(plan, params.readout),
      valueProjection: {
        norm: this.#norm(valueProjection.norm),
        hidden: this.#affine(valueProjection.hidden),
        output: this.#affine(valueProjection.output),
      },
      norm: params.norm && this.#norm(params.norm),
      mlp: mlp && {
        norm: this.#norm(mlp.norm),
        gate: mlp.gate && bare(mlp.gate),
        up: bare(mlp.up),
        down: bare(mlp.down),
      },
    };
  }

  /** The read-out over the buckets that some pair of channels reaches. */
  #readout(
    { sums: { live } }: BlockPlan,
    params: NonNullable<BlockParams<NDArray>['readout']>,
  ): NonNullable<HostBlock['readout']> {
    const { weight, bias } = params.hidden;
    const [hidden, buckets] = weight.shape as [number, number];
    const columns = Float32Array.from({ length: hidden * live.length }, (_, index) => {
      const [row, place] = [Math.floor(index / live.length), index % live.length];
      return weight.data[row * buckets + live[place]!]!;
    });
    return {
      hidden: this.#rows(columns, hidden, live.length, bias),
      output: this.#affine(params.output),
      live: live.length,
    };
  }

  #stacked(weights: readonly NDArray[]): HostMap {
    const columns = weights[0]!.shape[1]!;
    const all = weights.flatMap(({ data }) => Array.from(data));
    return this.#rows(Float32Array.from(all), all.length / columns, columns);
  }

  #map({ data, shape }: NDArray, bias?: NDArray): HostMap {
    return this.#rows(data, shape[0]!, shape[1]!, bias);
  }

  #affine({ weight, bias }: LinearParams<NDArray>): HostMap {
    return this.#map(weight, bias);
  }

  /** Rows are filled up with zeros to a multiple of 4. */
  #rows(values: ArrayLike<number>, rows: number, columns: number, bias?: NDArray): HostMap {
    const width = align(columns);
    const padded = new Float32Array(rows * width);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        padded[row * width + column] = values[row * columns + column]!;
      }
    }
    const weight = this.kernels.storeMatrix(padded, rows, width);
    return { weight, bias: bias ? this.kernels.store(bias.data) : this.zeros };
  }

  #norm({ gain, bias }: NormParams<NDArray>): HostNorm {
    return { gain: this.kernels.store(gain.data), bias: this.kernels.store(bias.data) };
  }
}

/** The one bucket of every channel, from the matrix. */
function sketchOf({ dim, used, matrix }: CompactSketch): HostSketch {
  const [index, sign] = [new Int32Array(dim), new Int8Array(dim)];
  matrix.forEach((value, at) => {
    if (value === 0) return;
    const channel = Math.floor(at / used.length);
    index[channel] = at % used.length;
    sign[channel] = value;
  });
  return { index, sign, width: used.length };
}
