import type { DecodingKernels, Place } from '@palimpsest/base';
import type { HostForm, HostMemory } from '@palimpsest/lm';
import { slotsOf } from '../cache.js';
import { isGated } from '../config.js';
import { layerFrequencies, type RotarySpeeds, rotarySpeeds } from '../rotary-frequencies.js';
import type { HostBlock, HostMap, HostNorm, HostWeights } from './weights.js';

/** Where a layer's keys and values lie, `[keyValueHeads, slots, headWidth]`. */
interface LayerPlaces {
  readonly keys: Place;
  readonly values: Place;
}

/** Room for what a token is on its way. */
type Scratch = Readonly<
  Record<'stream' | 'normal' | 'branch' | 'packed' | 'read' | 'hidden' | 'scores' | 'cos' | 'sin', Place>
>;

/**
 * Tokens of a transformer on the processor: the block of `blockForward` for one row, over a cache whose entries lie in its
 * first slots.
 */
export class TransformerHostForm implements HostForm {
  readonly kernels: DecodingKernels;
  readonly vocabSize: number;
  readonly logits: Place;
  readonly #scratch: Scratch;
  readonly #slots: number;
  readonly #speeds: RotarySpeeds;
  /** Whether a layer's queries and keys are turned. */
  readonly #turns: readonly boolean[];

  constructor(private readonly weights: HostWeights) {
    const { kernels, config } = weights;
    const { modelWidth: d, heads, keyValueHeads, headWidth, mlpWidth, vocabSize } = config;
    this.kernels = kernels;
    this.vocabSize = vocabSize;
    this.logits = kernels.allocate(vocabSize);
    this.#slots = slotsOf(config);
    this.#speeds = rotarySpeeds(config);
    this.#turns = weights.blocks.map((_block, layer) => layerFrequencies(config, layer) !== undefined);
    const room = (count: number) => kernels.allocate(count + 4);
    this.#scratch = {
      ...{ stream: room(d), normal: room(d), branch: room(d), read: room(heads * headWidth) },
      ...{ packed: room((heads + 2 * keyValueHeads) * headWidth), hidden: room(2 * mlpWidth) },
      ...{ scores: room(this.#slots), cos: room(headWidth / 2), sin: room(headWidth / 2) },
    };
  }

  open({ floats, ints }: HostMemory): (id: number, wanted: boolean) => void {
    const { blocks, norm, head } = this.weights;
    const [position, held] = [ints.position!, ints.positions!];
    const layers = blocks.map((_block, layer) => ({
      keys: floats[`layers.${layer}.keys`]!,
      values: floats[`layers.${layer}.values`]!,
    }));
    return (id, wanted) => {
      const place = position[0]!;
      const slot = this.#slotFor(held, layers);
      this.#begin(id, place);
      held[slot] = place;
      position[0] = place + 1;
      const count = Math.max(slot + 1, held[this.#slots - 1]! >= 0 ? this.#slots : 0);
      let branch = this.weights.zeros;
      for (const [layer, block] of blocks.entries()) {
        branch = this.#block(block, layer, layers[layer]!, slot, count, branch);
      }
      if (!wanted) return;
      this.#normalise(branch, norm);
      this.#multiply(this.logits, head, this.#scratch.normal);
    };
  }

  /** The first empty slot, or that of the oldest entry. Entries that others left elsewhere move to the first slots before. */
  #slotFor(held: Int32Array, layers: readonly LayerPlaces[]): number {
    let [oldest, entries] = [0, 0];
    for (let slot = 0; slot < held.length; slot++) {
      if (held[slot]! >= 0) entries += 1;
      if (held[slot]! < held[oldest]!) oldest = slot;
    }
    if (entries < held.length && oldest !== entries) {
      this.#pack(held, layers);
      return entries;
    }
    return oldest;
  }

  #pack(held: Int32Array, layers: readonly LayerPlaces[]): void {
    const { keyValueHeads, headWidth } = this.weights.config;
    const { numbers } = this.kernels;
    let to = 0;
    for (let from = 0; from < held.length; from++) {
      if (held[from]! < 0) continue;
      if (to < from) {
        held[to] = held[from]!;
        held[from] = -1;
        for (const place of layers.flatMap(({ keys, values }) => [keys, values])) {
          for (let head = 0; head < keyValueHeads; head++) {
            const row = place + head * held.length * headWidth;
            numbers.copyWithin(row + to * headWidth, row + from * headWidth, row + (from + 1) * headWidth);
          }
        }
      }
      to += 1;
    }
  }

  /** The token's row into the stream, and the angles of its position. */
  #begin(id: number, place: number): void {
    const { config, embedding, positions } = this.weights;
    const { modelWidth: d, embeddingScale, context, headWidth } = config;
    const { stream, cos, sin } = this.#scratch;
    const { numbers } = this.kernels;
    const row = positions && Math.min(place, context - 1) * d;
    for (let i = 0; i < d; i++) {
      const own = embeddingScale * embedding[id * d + i]!;
      numbers[stream + i] = row === undefined ? own : own + positions![row + i]!;
    }
    if (config.positions !== 'rotary') return;
    const { frequencies, magnitude } = this.#speeds;
    for (let pair = 0; pair < headWidth / 2; pair++) {
      const angle = place * frequencies[pair]!;
      numbers[cos + pair] = magnitude * Math.cos(angle);
      numbers[sin + pair] = magnitude * Math.sin(angle);
    }
  }

  /** One block, whose input is the stream and a branch that is still to be added. @returns the branch of its MLP */
  #block(
    block: HostBlock,
    layer: number,
    { keys, values }: LayerPlaces,
    slot: number,
    count: number,
    before: Place,
  ): Place {
    const { config } = this.weights;
    const { heads, keyValueHeads, headWidth: width, mlpWidth, attentionScale } = config;
    const { normal, branch, packed, read, hidden, scores, cos, sin } = this.#scratch;
    const { kernels } = this;
    this.#normalise(before, block.attentionNorm);
    this.#multiply(packed, block.queryKeyValue, normal);
    if (this.#turns[layer]) kernels.turn(packed, heads + keyValueHeads, width, cos, sin, width / 2);
    const own = packed + heads * width;
    for (let head = 0; head < keyValueHeads; head++) {
      const row = (head * this.#slots + slot) * width;
      const [key, value] = [own + head * width, own + (keyValueHeads + head) * width];
      kernels.numbers.copyWithin(keys + row, key, key + width);
      kernels.numbers.copyWithin(values + row, value, value + width);
    }
    for (let head = 0; head < heads; head++) {
      const shared = Math.floor((head * keyValueHeads) / heads) * this.#slots * width;
      const [to, query] = [read + head * width, packed + head * width];
      kernels.attend(to, query, keys + shared, values + shared, scores, count, width, width, attentionScale);
    }
    this.#multiply(branch, block.output, read);
    this.#normalise(branch, block.mlpNorm);
    this.#multiply(hidden, block.up, normal);
    if (isGated(config)) kernels.memories.swiGlu(hidden, hidden, hidden + mlpWidth, mlpWidth);
    else kernels.gelu(hidden, mlpWidth);
    this.#multiply(branch, block.down, hidden);
    return branch;
  }

  #multiply(y: Place, { weight, bias }: HostMap, x: Place): void {
    this.kernels.multiply(y, weight, x, bias);
  }

  /** Adds a branch to the stream, and normalises it. */
  #normalise(branch: Place, { gain, bias }: HostNorm): void {
    const { stream, normal } = this.#scratch;
    const { modelWidth: d, normEpsilon } = this.weights.config;
    if (bias === undefined)
      this.kernels.memories.addRootNormalised(normal, stream, branch, gain, d, normEpsilon);
    else this.kernels.addNormalised(normal, stream, branch, gain, bias, d);
  }
}
