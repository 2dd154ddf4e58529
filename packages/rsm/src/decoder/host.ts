import {
  type Compiled,
  type DeviceArray,
  type Engine,
  type NDArray,
  ndarray,
  type RotaryAngles,
  rotaryAngles,
  type ToDevice,
  type ToHost,
  type tf,
} from '@palimpsest/tensor-core';
import type { RsmConfig } from '../config.js';
import type { FoldedSlots } from '../memory/folded-read.js';
import type { BlockParams, NormParams, RsmParams } from '../parameters.js';
import { positionTable } from '../positional-encoding.js';
import { hasHiddenSync } from '../state.js';
import { type Cache, foldSlots } from './graph.js';
import { HostKernels, hasHostKernels, type Place } from './kernels.js';
import { type TokenForm, type TokenRows, take } from './token-form.js';

/**
 * Weights up to this many bytes are decoded on the processor unless told otherwise. Against two threads of the graph a token
 * took 0.69 of the time at 24 MiB, 0.95 at 192; at 324 the best of the graph was 0.84 of the best here.
 */
const MOST_BYTES = 2 ** 28;

/** Whether one text of a model can be decoded by the kernels of this package. */
export function fitsHost({ hiddenSize: d, numHeads }: RsmConfig, batch: number): boolean {
  return batch === 1 && d % 4 === 0 && (d / numHeads) % 4 === 0 && hasHostKernels();
}

/** Whether that is the faster way on an engine that computes on the processor. */
export function prefersHost(config: RsmConfig, batch: number): boolean {
  return fitsHost(config, batch) && 4 * weightsOf(config) <= MOST_BYTES;
}

/** Numbers that a token reads. */
const weightsOf = ({ numLayers, hiddenSize: d, vocabSize }: RsmConfig) =>
  numLayers * 12 * d * d + vocabSize * d;

interface Norm {
  readonly gain: Place;
  readonly bias: Place;
}

/** Where a block's weights, slots and caches lie. */
interface HostBlock {
  readonly attentionNorm: Norm;
  readonly qkv: Place;
  readonly projection: Place;
  readonly projectionBias: Place;
  readonly readNorm: Norm;
  readonly readBias: Place;
  readonly mlpNorm: Norm;
  readonly hidden: Place;
  readonly hiddenBias: Place;
  readonly output: Place;
  readonly outputBias: Place;
  readonly slotKeys: Place;
  readonly slotValues: Place;
  readonly keys: Place;
  readonly values: Place;
}

/** Room for what a token is on its way, [.] as named. */
interface Scratch {
  /** Residual stream, its normalisation, what a branch gives: [d] each. */
  readonly sum: Place;
  readonly normal: Place;
  readonly branch: Place;
  /** [3 d], [d], [4 d]. */
  readonly packed: Place;
  readonly read: Place;
  readonly hidden: Place;
  readonly scores: Place;
  readonly logits: Place;
  readonly zeros: Place;
}

/**
 * Tokens of one text on the processor itself (rsm.md 14.3), with the weights copied into the kernels' memory: no graph is
 * run, so that a token costs what reading its weights costs.
 */
export class HostTokenForm implements TokenForm {
  readonly #kernels: HostKernels;
  readonly #blocks: readonly HostBlock[];
  readonly #normOut: Norm;
  readonly #embedding: Float32Array;
  readonly #head: Place;
  readonly #positions: Float32Array;
  readonly #angles: RotaryAngles | undefined;
  readonly #scratch: Scratch;
  readonly #fold: Compiled<[RsmParams, tf.Tensor], FoldedSlots[]>;

  /**
   * @param params the caller's, of the engine
   * @param host the same numbers, which are copied
   */
  constructor(
    engine: Engine,
    private readonly config: RsmConfig,
    private readonly params: ToDevice<RsmParams>,
    host: RsmParams<NDArray>,
  ) {
    const { hiddenSize: d, numLayers, numHeads, vocabSize, chunkSize, numMemorySlots } = config;
    const perBlock = 12 * d * d + 15 * d + 2 * (chunkSize + numMemorySlots) * d;
    const kernels = new HostKernels(
      numLayers * perBlock + (vocabSize + 4) * d + 4 * vocabSize + 24 * d + chunkSize + numMemorySlots + 64,
    );
    this.#kernels = kernels;
    this.#blocks = host.blocks.map((block) => placeBlock(kernels, config, block));
    this.#normOut = placeNorm(kernels, host.normOut);
    this.#embedding = host.tokenEmbedding.data as Float32Array;
    this.#head = kernels.storeMatrix(this.#embedding, vocabSize, d);
    this.#positions = positionTable(chunkSize, d);
    this.#angles =
      config.positions === 'rotary' ? rotaryAngles([...Array(chunkSize).keys()], d / numHeads) : undefined;
    this.#scratch = {
      sum: kernels.allocate(d),
      normal: kernels.allocate(d),
      branch: kernels.allocate(d),
      packed: kernels.allocate(3 * d),
      read: kernels.allocate(d),
      hidden: kernels.allocate(4 * d),
      scores: kernels.allocate(Math.max(chunkSize, numMemorySlots) + 4),
      logits: kernels.allocate(vocabSize),
      zeros: kernels.allocate(Math.max(4 * d, vocabSize)),
    };
    this.#fold = engine.compile(
      (weights: RsmParams, memory: tf.Tensor) => foldSlots(config, weights, memory),
      { name: 'rsm slots' },
    );
  }

  takeCaches(): ToHost<Cache[]> {
    const { hiddenSize: d, numHeads, chunkSize } = this.config;
    const copy = (place: Place) =>
      ndarray(this.#kernels.view(place, chunkSize * d).slice(), [1, numHeads, chunkSize, d / numHeads]);
    return this.#blocks.map(({ keys, values }) => ({ keys: copy(keys), values: copy(values) }));
  }

  async setCaches(caches: ToDevice<Cache[]>): Promise<void> {
    const { numbers } = this.#kernels;
    for (const [layer, { keys, values }] of caches.entries()) {
      const block = this.#blocks[layer]!;
      numbers.set(await take(keys), block.keys);
      numbers.set(await take(values), block.values);
    }
  }

  async open(memory: DeviceArray): Promise<void> {
    const { numbers } = this.#kernels;
    const folded = await this.#fold(this.params as never, memory as never);
    for (const [layer, { keys, values }] of folded.entries()) {
      const block = this.#blocks[layer]!;
      numbers.set(await take(keys), block.slotKeys);
      numbers.set(await take(values), block.slotValues);
    }
  }

  async next([token]: ArrayLike<number> & Iterable<number>, position: number): Promise<TokenRows> {
    const { config } = this;
    const { hiddenSize: d, vocabSize, numLayers } = config;
    const kernels = this.#kernels;
    const { sum, normal, branch, logits, zeros } = this.#scratch;
    const sources = new Float32Array(numLayers * d);
    const hidden = hasHiddenSync(config) ? new Float32Array(numLayers * d) : undefined;
    const stream = kernels.view(sum, d);
    stream.set(this.#embedding.subarray(token! * d, (token! + 1) * d));
    kernels.numbers.set(this.#positions.subarray(position * d, (position + 1) * d), branch);
    const [first] = this.#blocks;
    kernels.addNormalised(normal, sum, branch, first!.attentionNorm.gain, first!.attentionNorm.bias, d);
    this.#blocks.forEach((block, layer) => {
      this.#attend(block, position);
      if (config.writeSource === 'preRead') sources.set(stream, layer * d);
      this.#readAndThink(block, this.#blocks[layer + 1]?.attentionNorm ?? this.#normOut);
      if (config.writeSource === 'postBlock') sources.set(stream, layer * d);
      hidden?.set(stream, layer * d);
    });
    kernels.multiply(logits, this.#head, normal, zeros, vocabSize, d);
    return { logits: kernels.view(logits, vocabSize).slice(), sources, ...(hidden && { hidden }) };
  }

  /** The slots stay where the next chunk's will lie. */
  close(): void {}

  async dispose(): Promise<void> {
    await this.#fold.dispose();
  }

  /** Self-attention over the chunk so far; leaves the stream behind it, normalised for the read. */
  #attend(block: HostBlock, position: number): void {
    const { hiddenSize: d, numHeads, chunkSize } = this.config;
    const { sum, normal, branch, packed, read, scores, zeros } = this.#scratch;
    const kernels = this.#kernels;
    const width = d / numHeads;
    kernels.multiply(packed, block.qkv, normal, zeros, 3 * d, d);
    if (this.#angles) this.#turn(kernels.view(packed, 2 * d), position);
    for (let head = 0; head < numHeads; head++) {
      const cache = head * chunkSize * width;
      const row = cache + position * width;
      const [key, value] = [packed + d + head * width, packed + 2 * d + head * width];
      kernels.numbers.copyWithin(block.keys + row, key, key + width);
      kernels.numbers.copyWithin(block.values + row, value, value + width);
      kernels.attend(
        read + head * width,
        packed + head * width,
        block.keys + cache,
        block.values + cache,
        scores,
        position + 1,
        width,
        1 / Math.sqrt(width),
      );
    }
    kernels.multiply(branch, block.projection, read, block.projectionBias, d, d);
    kernels.addNormalised(normal, sum, branch, block.readNorm.gain, block.readNorm.bias, d);
  }

  /** Memory read and MLP; leaves the block's output, normalised for what follows. */
  #readAndThink(block: HostBlock, following: Norm): void {
    const { hiddenSize: d, numMemorySlots } = this.config;
    const { sum, normal, branch, hidden, scores } = this.#scratch;
    const kernels = this.#kernels;
    kernels.attend(branch, normal, block.slotKeys, block.slotValues, scores, numMemorySlots, d, 1);
    const read = kernels.view(branch, d);
    const bias = kernels.view(block.readBias, d);
    for (let i = 0; i < d; i++) read[i]! += bias[i]!;
    kernels.addNormalised(normal, sum, branch, block.mlpNorm.gain, block.mlpNorm.bias, d);
    kernels.multiply(hidden, block.hidden, normal, block.hiddenBias, 4 * d, d, true);
    kernels.multiply(branch, block.output, hidden, block.outputBias, d, 4 * d);
    kernels.addNormalised(normal, sum, branch, following.gain, following.bias, d);
  }

  /** Rotary positions: turns the pairs (i, i + width / 2) of every head of queries and keys, [2 d]. */
  #turn(rows: Float32Array, position: number): void {
    const half = this.config.hiddenSize / this.config.numHeads / 2;
    const { cos, sin } = this.#angles!;
    for (let start = 0; start < rows.length; start += 2 * half) {
      for (let i = 0; i < half; i++) {
        const [a, b] = [rows[start + i]!, rows[start + half + i]!];
        const [c, s] = [cos[position * half + i]!, sin[position * half + i]!];
        rows[start + i] = a * c - b * s;
        rows[start + half + i] = b * c + a * s;
      }
    }
  }
}

const placeNorm = (kernels: HostKernels, { gain, bias }: NormParams<NDArray>): Norm => ({
  gain: kernels.store(gain.data),
  bias: kernels.store(bias.data),
});

function placeBlock(kernels: HostKernels, config: RsmConfig, block: BlockParams<NDArray>): HostBlock {
  const { hiddenSize: d, chunkSize, numMemorySlots } = config;
  const matrix = ({ weight }: { readonly weight: NDArray }) =>
    kernels.storeMatrix(weight.data, weight.shape[0]!, weight.shape[1]!);
  const { selfAttention, memoryRead, mlp } = block;
  return {
    attentionNorm: placeNorm(kernels, block.attentionNorm),
    qkv: matrix(selfAttention.qkv),
    projection: matrix(selfAttention.projection),
    projectionBias: kernels.store(selfAttention.projection.bias.data),
    readNorm: placeNorm(kernels, block.readNorm),
    readBias: kernels.store(memoryRead.output.bias.data),
    mlpNorm: placeNorm(kernels, block.mlpNorm),
    hidden: matrix(mlp.hidden),
    hiddenBias: kernels.store(mlp.hidden.bias.data),
    output: matrix(mlp.output),
    outputBias: kernels.store(mlp.output.bias.data),
    slotKeys: kernels.allocate(numMemorySlots * d),
    slotValues: kernels.allocate(numMemorySlots * d),
    keys: kernels.allocate(chunkSize * d),
    values: kernels.allocate(chunkSize * d),
  };
}
