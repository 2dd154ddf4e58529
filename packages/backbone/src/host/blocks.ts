import type { DecodingKernels, HeadScores, Place } from '@palimpsest/base';
import { isGated } from '../config.js';
import { layerFrequencies, type RotarySpeeds, rotarySpeeds } from '../rotary-frequencies.js';
import type { HostBlock, HostMap, HostNorm, HostWeights } from './weights.js';

/** Where a layer's keys and values lie, `[keyValueHeads, slots, headWidth]`, and which of them a token sees. */
export interface LayerEntries {
  readonly keys: Place;
  readonly values: Place;
  readonly slots: number;
  /** The first slot that every key/value head sees, `[keyValueHeads]`. */
  readonly first: Int32Array;
  /** The slot behind the last one that is seen. */
  readonly end: number;
}

/** Whoever looks at the attention of a token. */
export interface TokenWatch {
  /** Queries of a layer as they are before rotation, `[heads, headWidth]`. */
  queries?(layer: number, place: Place): void;
  /** What a layer's query heads gave to the slots that they see. */
  attention?(layer: number, given: HeadScores): void;
}

/** Room for what a token is on its way. */
type Scratch = Readonly<
  Record<'stream' | 'normal' | 'branch' | 'packed' | 'read' | 'hidden' | 'cos' | 'sin', Place>
>;

/** One token through the blocks on the processor: `blockForward` for one row, over caches whose entries stand side by side. */
export class HostBlocks {
  readonly kernels: DecodingKernels;
  /** Where the logits lie after a `read` with `wanted`. */
  readonly logits: Place;
  readonly #scratch: Scratch;
  /** Room for every head's scores. */
  #scores: HeadScores;
  readonly #speeds: RotarySpeeds;
  /** Whether a layer's queries and keys are turned. */
  readonly #turns: readonly boolean[];

  constructor(private readonly weights: HostWeights) {
    const { kernels, config } = weights;
    const { modelWidth: d, heads, keyValueHeads, headWidth, mlpWidth, vocabSize } = config;
    this.kernels = kernels;
    this.logits = kernels.allocate(vocabSize);
    this.#speeds = rotarySpeeds(config);
    this.#turns = weights.blocks.map((_block, layer) => layerFrequencies(config, layer) !== undefined);
    const room = (count: number) => kernels.allocate(count + 4);
    this.#scratch = {
      ...{ stream: room(d), normal: room(d), branch: room(d), read: room(heads * headWidth) },
      ...{ packed: room((heads + 2 * keyValueHeads) * headWidth), hidden: room(2 * mlpWidth) },
      ...{ cos: room(headWidth / 2), sin: room(headWidth / 2) },
    };
    this.#scores = { scores: 0, stride: 0, factors: kernels.allocate(heads) };
  }

  /**
   * Reads a token, whose keys and values go into one slot of every layer.
   * @param place its position
   * @param slotOf by layer
   * @param wanted leave its logits
   */
  read(
    id: number,
    place: number,
    layers: readonly LayerEntries[],
    slotOf: (layer: number) => number,
    wanted: boolean,
    watch?: TokenWatch,
  ): void {
    const { blocks, norm, head, zeros } = this.weights;
    this.#begin(id, place);
    let branch = zeros;
    for (const [layer, block] of blocks.entries()) {
      branch = this.#block(block, layer, layers[layer]!, slotOf(layer), branch, watch);
    }
    if (!wanted) return;
    this.#normalise(branch, norm);
    this.#multiply(this.logits, head, this.#scratch.normal);
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
    entries: LayerEntries,
    slot: number,
    before: Place,
    watch: TokenWatch | undefined,
  ): Place {
    const { config } = this.weights;
    const { heads, keyValueHeads, headWidth: width, mlpWidth } = config;
    const { normal, branch, packed, read, hidden, cos, sin } = this.#scratch;
    const { kernels } = this;
    this.#normalise(before, block.attentionNorm);
    this.#multiply(packed, block.queryKeyValue, normal);
    watch?.queries?.(layer, packed);
    if (this.#turns[layer]) kernels.turn(packed, heads + keyValueHeads, width, cos, sin, width / 2);
    const own = packed + heads * width;
    for (let head = 0; head < keyValueHeads; head++) {
      const row = (head * entries.slots + slot) * width;
      const [key, value] = [own + head * width, own + (keyValueHeads + head) * width];
      kernels.numbers.copyWithin(entries.keys + row, key, key + width);
      kernels.numbers.copyWithin(entries.values + row, value, value + width);
    }
    this.#attend(layer, entries, watch);
    this.#multiply(branch, block.output, read);
    this.#normalise(branch, block.mlpNorm);
    this.#multiply(hidden, block.up, normal);
    if (isGated(config)) kernels.memories.swiGlu(hidden, hidden, hidden + mlpWidth, mlpWidth);
    else kernels.gelu(hidden, mlpWidth);
    this.#multiply(branch, block.down, hidden);
    return branch;
  }

  #attend(
    layer: number,
    { keys, values, slots, first, end }: LayerEntries,
    watch: TokenWatch | undefined,
  ): void {
    const { heads, keyValueHeads, headWidth: width, attentionScale } = this.weights.config;
    const { packed, read } = this.#scratch;
    const { kernels } = this;
    const given = this.#scoresFor(end);
    // Where nobody asks for them, the scores of one head lie where those of the last one were, near the processor.
    const stride = watch?.attention ? given.stride : 0;
    for (let head = 0; head < heads; head++) {
      const shared = Math.floor((head * keyValueHeads) / heads);
      const from = first[shared]!;
      const row = (shared * slots + from) * width;
      const [to, query] = [read + head * width, packed + head * width];
      const [key, value] = [keys + row, values + row];
      const scores = given.scores + head * stride;
      const factor = kernels.attend(to, query, key, value, scores, end - from, width, width, attentionScale);
      kernels.numbers[given.factors + head] = factor;
    }
    watch?.attention?.(layer, given);
  }

  #scoresFor(slots: number): HeadScores {
    const { stride, factors } = this.#scores;
    if (stride < slots + 4) {
      const wider = 2 ** Math.ceil(Math.log2(slots)) + 4;
      const scores = this.kernels.allocate(this.weights.config.heads * wider);
      this.#scores = { scores, stride: wider, factors };
    }
    return this.#scores;
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
