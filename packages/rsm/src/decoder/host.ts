import { hasDecodingKernels } from '@palimpsest/base';
import {
  DeviceArray,
  type NDArray,
  ndarray,
  type ToDevice,
  type ToHost,
  type ToInput,
} from '@palimpsest/tensor-core';
import type { RsmConfig } from '../config.js';
import { positionTable } from '../positional-encoding.js';
import { type BlockState, hasHiddenSync, type PoolState, poolKind } from '../state.js';
import type { OpenSlots } from './graph.js';
import { headRoom, padHeads, stripHeads } from './head-room.js';
import type { HostBlock, HostNorm, HostPending, HostWeights } from './host-weights.js';
import { type Pools, type TokenForm, take } from './token-form.js';

/**
 * Weights up to this many bytes are decoded on the processor unless told otherwise. Against two threads of the graph a token
 * took 0.69 of the time at 24 MiB, 0.95 at 192; at 324 the best of the graph was 0.84 of the best here.
 */
const MOST_BYTES = 2 ** 28;

/** Whether a model can be decoded by the kernels of this package. */
export function fitsHost({ hiddenSize: d, mlpWidth }: RsmConfig): boolean {
  return [d, mlpWidth].every((width) => width % 4 === 0) && hasDecodingKernels();
}

/** Whether that is the faster way on an engine that computes on the processor. */
export function prefersHost(config: RsmConfig): boolean {
  return fitsHost(config) && 4 * weightsOf(config) <= MOST_BYTES;
}

/** Numbers that a token reads. */
const weightsOf = ({ numLayers, hiddenSize: d, vocabSize }: RsmConfig) =>
  numLayers * 12 * d * d + vocabSize * d;

/**
 * Tokens of one text on the processor itself (DERIVATION.md, "Decoding"), with the weights copied into the kernels' memory: no
 * graph is run, so that a token costs what reading its weights costs. The block is written out once more, since a kernel adds
 * a branch and normalises the sum in one pass.
 */
export class HostTokenForm implements TokenForm {
  readonly #pending: readonly HostPending[];
  readonly #positions: Float32Array;
  /** Outputs that a sync attends to, [chunkSize, d] of every block. */
  readonly #hidden: readonly Float32Array[];

  constructor(
    private readonly config: RsmConfig,
    private readonly weights: HostWeights,
  ) {
    const { hiddenSize: d, chunkSize, numLayers } = config;
    this.#pending = weights.places();
    this.#positions = positionTable(chunkSize, d);
    const kept = hasHiddenSync(config) ? numLayers : 0;
    this.#hidden = Array.from({ length: kept }, () => new Float32Array(chunkSize * d));
  }

  blocks(): ToHost<readonly BlockState[]> {
    const { hiddenSize: d, numHeads, chunkSize } = this.config;
    const copy = (place: number, shape: number[]) => {
      const size = shape.reduce((product, extent) => product * extent, 1);
      return ndarray(this.weights.kernels.view(place, size).slice(), shape);
    };
    const width = d / numHeads;
    const cached = (place: number) => {
      const groups = numHeads * chunkSize;
      const padded = this.weights.kernels.view(place, groups * headRoom(width)).slice();
      return ndarray(stripHeads(padded, { groups, width }), [1, numHeads, chunkSize, width]);
    };
    return this.#pending.map(({ keys, values, pool }, layer) => ({
      keys: cached(keys),
      values: cached(values),
      pool: this.#poolShapes(({ name, shape }) => copy(pool[name], shape)),
      hidden: this.#hidden[layer] && ndarray(this.#hidden[layer].slice(), [1, chunkSize, d]),
    }));
  }

  async setBlocks(blocks: ToInput<readonly BlockState[]>): Promise<void> {
    const { hiddenSize: d, numHeads, chunkSize } = this.config;
    const heads = { groups: numHeads * chunkSize, width: d / numHeads };
    const setCache = async (place: number, cache: NDArray) =>
      this.weights.kernels.numbers.set(padHeads(await numbersOf(cache), heads), place);
    for (const [layer, { keys, values, hidden }] of blocks.entries()) {
      const place = this.#pending[layer]!;
      await setCache(place.keys, keys as NDArray);
      await setCache(place.values, values as NDArray);
      if (hidden) this.#hidden[layer]!.set(await numbersOf(hidden as NDArray));
    }
    await this.#setPools(blocks as ToHost<Pools>);
  }

  setPools(pools: ToDevice<Pools>): Promise<void> {
    return this.#setPools(pools);
  }

  async open(slots: ToDevice<readonly OpenSlots[]>): Promise<void> {
    for (const [layer, { keys, values, queries }] of slots.entries()) {
      const place = this.#pending[layer]!;
      await this.#set(place.slotKeys, keys);
      await this.#set(place.slotValues, values);
      if (queries) await this.#set(place.queries, queries);
    }
  }

  async next(token: number, position: number): Promise<Float32Array> {
    const { hiddenSize: d, vocabSize, writeSource } = this.config;
    const { kernels, blocks, normOut, embedding, head, scratch } = this.weights;
    const { sum, normal, branch, logits, zeros } = scratch;
    kernels.numbers.set(embedding.subarray(token * d, (token + 1) * d), sum);
    kernels.numbers.set(this.#positions.subarray(position * d, (position + 1) * d), branch);
    const first = blocks[0]!.attentionNorm;
    kernels.addNormalised(normal, sum, branch, first.gain, first.bias, d);
    blocks.forEach((block, layer) => {
      const pending = this.#pending[layer]!;
      this.#attend(block, pending, position);
      if (writeSource === 'preRead') this.#pool(pending, position);
      this.#readAndTransform(block, pending, blocks[layer + 1]?.attentionNorm ?? normOut);
      if (writeSource === 'postBlock') this.#pool(pending, position);
      this.#hidden[layer]?.set(kernels.view(sum, d), position * d);
    });
    kernels.multiply(logits, head, normal, zeros);
    return kernels.view(logits, vocabSize).slice();
  }

  fork(): HostTokenForm {
    return new HostTokenForm(this.config, this.weights);
  }

  async dispose(): Promise<void> {
    this.weights.release(this.#pending);
  }

  /** Self-attention over the chunk so far; leaves the stream behind it, normalised for the read. */
  #attend(block: HostBlock, pending: HostPending, position: number): void {
    const { hiddenSize: d, numHeads, chunkSize } = this.config;
    const { kernels, scratch, angles } = this.weights;
    const { sum, normal, branch, packed, read, scores, zeros } = scratch;
    const width = d / numHeads;
    const room = headRoom(width);
    kernels.multiply(packed, block.qkv, normal, zeros);
    if (angles) {
      const at = position * (width / 2);
      kernels.turn(packed, 2 * numHeads, room, angles.cos + at, angles.sin + at, width / 2);
    }
    for (let head = 0; head < numHeads; head++) {
      const cache = head * chunkSize * room;
      const row = cache + position * room;
      const query = packed + head * room;
      const [key, value] = [query + numHeads * room, query + 2 * numHeads * room];
      kernels.numbers.copyWithin(pending.keys + row, key, key + room);
      kernels.numbers.copyWithin(pending.values + row, value, value + room);
      kernels.attend(
        read + head * room,
        query,
        pending.keys + cache,
        pending.values + cache,
        scores,
        position + 1,
        room,
        room,
        1 / Math.sqrt(width),
      );
    }
    kernels.multiply(branch, block.projection, read, block.projectionBias);
    kernels.addNormalised(normal, sum, branch, block.readNorm.gain, block.readNorm.bias, d);
  }

  /** Memory read and MLP; leaves the block's output, normalised for what follows. */
  #readAndTransform(block: HostBlock, pending: HostPending, following: HostNorm): void {
    const { hiddenSize: d, numMemorySlots } = this.config;
    const { kernels, scratch } = this.weights;
    const { sum, normal, branch, hidden, scores } = scratch;
    kernels.attend(branch, normal, pending.slotKeys, pending.slotValues, scores, numMemorySlots, d, d, 1);
    const read = kernels.view(branch, d);
    const bias = kernels.view(block.readBias, d);
    for (let i = 0; i < d; i++) read[i]! += bias[i]!;
    kernels.addNormalised(normal, sum, branch, block.mlpNorm.gain, block.mlpNorm.bias, d);
    kernels.multiply(hidden, block.hidden, normal, block.hiddenBias, true);
    kernels.multiply(branch, block.output, hidden, block.outputBias);
    kernels.addNormalised(normal, sum, branch, following.gain, following.bias, d);
  }

  /** The stream as it is enters the pool. */
  #pool({ pool, queries }: HostPending, position: number): void {
    const { hiddenSize: d, numMemorySlots } = this.config;
    const { kernels, scratch } = this.weights;
    switch (poolKind(this.config)) {
      case 'mean': {
        const [total, stream] = [kernels.view(pool.sum, d), kernels.view(scratch.sum, d)];
        for (let i = 0; i < d; i++) total[i]! += stream[i]!;
        return;
      }
      case 'online':
        kernels.pool(pool, queries, scratch.sum, numMemorySlots, d);
        return;
      case 'kept':
        kernels.numbers.copyWithin(pool.sum + position * d, scratch.sum, scratch.sum + d);
    }
  }

  async #setPools(pools: ToDevice<Pools> | ToHost<Pools>): Promise<void> {
    for (const [layer, { pool }] of pools.entries()) {
      const { sum, peak, total } = this.#pending[layer]!.pool;
      await this.#set(sum, (pool.sum ?? pool.sources)!);
      if (pool.peak) await this.#set(peak, pool.peak);
      if (pool.total) await this.#set(total, pool.total);
    }
  }

  async #set(place: number, array: DeviceArray | NDArray): Promise<void> {
    const values = await numbersOf(array);
    this.weights.kernels.numbers.set(values, place);
  }

  /** The members of a pool, each made of its place and shape. */
  #poolShapes(
    make: (member: { name: 'sum' | 'peak' | 'total'; shape: number[] }) => NDArray,
  ): ToHost<PoolState> {
    const { hiddenSize: d, numMemorySlots: m, chunkSize } = this.config;
    switch (poolKind(this.config)) {
      case 'mean':
        return { sum: make({ name: 'sum', shape: [1, d] }) };
      case 'online':
        return {
          sum: make({ name: 'sum', shape: [1, m, d] }),
          peak: make({ name: 'peak', shape: [1, m] }),
          total: make({ name: 'total', shape: [1, m] }),
        };
      case 'kept':
        return { sources: make({ name: 'sum', shape: [1, chunkSize, d] }) };
    }
  }
}

/** Numbers of an array; one on the engine is given back. */
async function numbersOf(array: DeviceArray | NDArray): Promise<Float32Array> {
  return array instanceof DeviceArray ? take(array) : (array.data as Float32Array);
}
