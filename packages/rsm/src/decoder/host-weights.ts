import { DecodingKernels, type Place, type StoredBits, type StoredMatrix } from '@palimpsest/base';
import { type NDArray, rotaryAngles } from '@palimpsest/tensor-core';
import type { RsmConfig } from '../config.js';
import type { BlockParams, NormParams, RsmParams } from '../parameters.js';
import { poolKind } from '../state.js';
import { headRoom, padHeads } from './head-room.js';

export interface HostNorm {
  readonly gain: Place;
  readonly bias: Place;
}

/** Where a block's weights lie. Heads have room for a multiple of 4 numbers each. */
export interface HostBlock {
  readonly attentionNorm: HostNorm;
  readonly qkv: StoredMatrix;
  readonly projection: StoredMatrix;
  readonly projectionBias: Place;
  readonly readNorm: HostNorm;
  readonly readBias: Place;
  readonly mlpNorm: HostNorm;
  readonly hidden: StoredMatrix;
  readonly hiddenBias: Place;
  readonly output: StoredMatrix;
  readonly outputBias: Place;
}

/** Where what a text keeps of a block lies: open slots, keys and values, pool. */
export interface HostPending {
  readonly slotKeys: Place;
  readonly slotValues: Place;
  readonly queries: Place;
  readonly keys: Place;
  readonly values: Place;
  readonly pool: Readonly<Record<'sum' | 'peak' | 'total', Place>>;
}

/** Room for what a token is on its way, [.] as named. */
interface Scratch {
  /** Residual stream, its normalisation, what a branch gives: [d] each. */
  readonly sum: Place;
  readonly normal: Place;
  readonly branch: Place;
  /** [3 · heads · room], [heads · room], [4 d]. */
  readonly packed: Place;
  readonly read: Place;
  readonly hidden: Place;
  readonly scores: Place;
  readonly logits: Place;
  readonly zeros: Place;
}

/** The weights of a model in the kernels' memory, and places for the texts that are decoded with them. */
export class HostWeights {
  readonly kernels = new DecodingKernels();
  readonly blocks: readonly HostBlock[];
  readonly normOut: HostNorm;
  readonly embedding: Float32Array;
  readonly head: StoredMatrix;
  readonly scratch: Scratch;
  /** Cosines and sines of rotary positions, `[chunkSize, headWidth / 2]` each. */
  readonly angles: { readonly cos: Place; readonly sin: Place } | undefined;
  readonly #free: (readonly HostPending[])[] = [];

  /**
   * @param params are copied
   * @param bits of the matrices. Default 32
   */
  constructor(
    private readonly config: RsmConfig,
    params: RsmParams<NDArray>,
    bits: StoredBits = 32,
  ) {
    const { hiddenSize: d, mlpWidth, vocabSize, chunkSize, numMemorySlots, numHeads } = config;
    const { kernels } = this;
    const heads = numHeads * headRoom(d / numHeads);
    if (config.positions === 'rotary') {
      const { cos, sin } = rotaryAngles([...Array(chunkSize).keys()], d / numHeads);
      this.angles = { cos: kernels.store(cos), sin: kernels.store(sin) };
    }
    this.blocks = params.blocks.map((block) => placeBlock(kernels, block, numHeads, bits));
    this.normOut = placeNorm(kernels, params.normOut);
    this.embedding = params.tokenEmbedding.data as Float32Array;
    this.head = kernels.storeMatrix(this.embedding, vocabSize, d, bits);
    this.scratch = {
      sum: kernels.allocate(d),
      normal: kernels.allocate(d),
      branch: kernels.allocate(d),
      packed: kernels.allocate(3 * heads),
      read: kernels.allocate(heads),
      hidden: kernels.allocate(mlpWidth),
      scores: kernels.allocate(Math.max(chunkSize, numMemorySlots) + 4),
      logits: kernels.allocate(vocabSize),
      zeros: kernels.allocate(Math.max(3 * heads, mlpWidth, vocabSize)),
    };
  }

  /** Places for one more text; those of a text that is over are used again. */
  places(): readonly HostPending[] {
    const { hiddenSize: d, chunkSize, numMemorySlots: m, numLayers, numHeads } = this.config;
    const { kernels } = this;
    const cache = chunkSize * numHeads * headRoom(d / numHeads);
    const pooled = { mean: 1, online: m, kept: chunkSize }[poolKind(this.config)];
    const place = (): HostPending => ({
      slotKeys: kernels.allocate(m * d),
      slotValues: kernels.allocate(m * d),
      queries: kernels.allocate(m * d),
      keys: kernels.allocate(cache),
      values: kernels.allocate(cache),
      pool: { sum: kernels.allocate(pooled * d), peak: kernels.allocate(m), total: kernels.allocate(m) },
    });
    return this.#free.pop() ?? Array.from({ length: numLayers }, place);
  }

  release(places: readonly HostPending[]): void {
    this.#free.push(places);
  }
}

const placeNorm = (kernels: DecodingKernels, { gain, bias }: NormParams<NDArray>): HostNorm => ({
  gain: kernels.store(gain.data),
  bias: kernels.store(bias.data),
});

function placeBlock(
  kernels: DecodingKernels,
  block: BlockParams<NDArray>,
  numHeads: number,
  bits: StoredBits,
): HostBlock {
  const matrix = ({ weight }: { readonly weight: NDArray }) =>
    kernels.storeMatrix(weight.data, weight.shape[0]!, weight.shape[1]!, bits);
  const { selfAttention, memoryRead, mlp } = block;
  const d = selfAttention.projection.weight.shape[0]!;
  const width = d / numHeads;
  const heads = numHeads * headRoom(width);
  const qkv = padHeads(selfAttention.qkv.weight.data, { groups: 3 * numHeads, width, inner: d });
  const projection = padHeads(selfAttention.projection.weight.data, { groups: d * numHeads, width });
  return {
    attentionNorm: placeNorm(kernels, block.attentionNorm),
    qkv: kernels.storeMatrix(qkv, 3 * heads, d, bits),
    projection: kernels.storeMatrix(projection, d, heads, bits),
    projectionBias: kernels.store(selfAttention.projection.bias.data),
    readNorm: placeNorm(kernels, block.readNorm),
    readBias: kernels.store(memoryRead.output.bias.data),
    mlpNorm: placeNorm(kernels, block.mlpNorm),
    hidden: matrix(mlp.hidden),
    hiddenBias: kernels.store(mlp.hidden.bias.data),
    output: matrix(mlp.output),
    outputBias: kernels.store(mlp.output.bias.data),
  };
}
