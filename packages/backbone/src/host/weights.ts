import {
  DecodingKernels,
  hasDecodingKernels,
  type NDArray,
  type Place,
  type StoredMatrix,
} from '@palimpsest/base';
import { cacheBytesPerToken, slotsOf } from '../cache.js';
import { isGated, type TransformerConfig } from '../config.js';
import type { Affine, BlockParameters, Norm, TransformerParameters } from '../parameters.js';

/** Weights up to so many numbers are read faster here than by the graph; beyond, its threads read them faster. */
const MOST_NUMBERS = 2 ** 26;
/** A larger cache is one that shall grow with the text. */
const MOST_CACHE_BYTES = 2 ** 23;
/** Of the kernel's LayerNorm. */
const LAYER_EPSILON = 1e-5;

/** Whether a model can be decoded by the kernels of the processor, and is small enough that this is the faster way. */
export const fitsHost = (config: TransformerConfig): boolean =>
  !config.evictable && hasHostWeights(config) && fitsHostCache(config, slotsOf(config));

/** The same for one whose cache is evictable, as long as `fitsHostCache`. */
export const fitsHostEvicting = (config: TransformerConfig): boolean =>
  config.evictable && config.window === 0 && hasHostWeights(config);

/** Whether a cache of so many slots is small enough. */
export const fitsHostCache = (config: TransformerConfig, slots: number): boolean =>
  slots * cacheBytesPerToken(config) <= MOST_CACHE_BYTES;

function hasHostWeights(config: TransformerConfig): boolean {
  const { layers, modelWidth, headWidth, heads, keyValueHeads, mlpWidth, vocabSize } = config;
  const rows = (2 * heads + 2 * keyValueHeads) * headWidth + (isGated(config) ? 3 : 2) * mlpWidth;
  const numbers = (layers * rows + vocabSize) * modelWidth;
  return (
    isPlain(config) &&
    [modelWidth, headWidth, mlpWidth].every((width) => width % 4 === 0) &&
    numbers <= MOST_NUMBERS &&
    hasDecodingKernels()
  );
}

/** Whether a model has nothing but what is written out here. */
function isPlain(config: TransformerConfig): boolean {
  const { activation, norm, normEpsilon, rotaryScaling, sinks, positions } = config;
  const dependsOnLength = rotaryScaling?.kind === 'dynamic' || rotaryScaling?.kind === 'longrope';
  const isOther = config.queryKeyNorm || config.sandwichNorms || config.localLayers.length > 0;
  const hasKernels =
    (activation === 'gelu' || activation === 'swiglu') && (norm === 'rms' || normEpsilon === LAYER_EPSILON);
  return !isOther && !dependsOnLength && hasKernels && sinks === 0 && positions !== 'sinusoidal';
}

export interface HostNorm {
  readonly gain: Place;
  readonly bias: Place | undefined;
}

/** A map as `multiply` reads it. */
export interface HostMap {
  readonly weight: StoredMatrix;
  readonly bias: Place;
}

export interface HostBlock {
  readonly attentionNorm: HostNorm;
  readonly queryKeyValue: HostMap;
  readonly output: HostMap;
  readonly mlpNorm: HostNorm;
  readonly up: HostMap;
  readonly down: HostMap;
}

/** Parameters of a transformer in the kernels' memory. */
export class HostWeights {
  readonly kernels = new DecodingKernels();
  readonly embedding: Float32Array;
  readonly positions: Float32Array | undefined;
  readonly blocks: readonly HostBlock[];
  readonly norm: HostNorm;
  readonly head: HostMap;
  /** As many zeros as any map has outputs. */
  readonly zeros: Place;

  constructor(
    readonly config: TransformerConfig,
    params: TransformerParameters<NDArray>,
  ) {
    const { modelWidth, heads, keyValueHeads, headWidth, mlpWidth, vocabSize } = config;
    const widest = Math.max(vocabSize, (heads + 2 * keyValueHeads) * headWidth, 2 * mlpWidth, modelWidth);
    this.zeros = this.kernels.allocate(widest + 4);
    this.embedding = params.tokenEmbedding.data as Float32Array;
    this.positions = params.positionEmbedding?.data as Float32Array | undefined;
    this.blocks = params.blocks.map((block) => this.#block(block));
    this.norm = this.#norm(params.norm);
    this.head = this.#map({ weight: params.head?.weight ?? params.tokenEmbedding });
  }

  #block(block: BlockParameters<NDArray>): HostBlock {
    return {
      attentionNorm: this.#norm(block.attentionNorm),
      queryKeyValue: this.#map(block.queryKeyValue),
      output: this.#map(block.output),
      mlpNorm: this.#norm(block.mlpNorm),
      up: this.#map(block.up),
      down: this.#map(block.down),
    };
  }

  #map({ weight: { data, shape }, bias }: Affine<NDArray>): HostMap {
    const weight = this.kernels.storeMatrix(data, shape[0]!, shape[1]!);
    return { weight, bias: bias ? this.kernels.store(bias.data) : this.zeros };
  }

  #norm({ gain, bias }: Norm<NDArray>): HostNorm {
    return { gain: this.kernels.store(gain.data), bias: bias && this.kernels.store(bias.data) };
  }
}
