import type { NDArray, Place } from '@palimpsest/base';
import { slotsOf } from '../cache.js';
import type { TransformerConfig } from '../config.js';
import type { OtherParameters } from '../frozen-transformer.js';
import { type Affine, makeWithMatrices, type Norm, type TransformerParameters } from '../parameters.js';
import { layerFrequencies, type RotarySpeeds, rotarySpeeds } from '../rotary-frequencies.js';
import type { KernelCache } from './cache.js';
import type { KernelMatrix, TransformerKernels } from './kernels.js';
import type { KernelMatrices } from './weights.js';

/** Tokens that are read side by side; others have their turn between two such pieces. */
export const MOST_ROWS = 64;

type Parameters = TransformerParameters<Place, KernelMatrix>;
type Block = Parameters['blocks'][number];

/** Room for what tokens are on their way. */
interface Scratch {
  readonly stream: Place;
  readonly normal: Place;
  readonly branch: Place;
  readonly packed: Place;
  readonly read: Place;
  readonly hidden: Place;
  readonly rounded: Place;
  readonly scores: Place;
  readonly scoresRoom: number;
  readonly cos: Place;
  readonly sin: Place;
  readonly slots: Place;
  readonly counts: Place;
  readonly zeros: Place;
  readonly logits: Place;
}

/** Tokens of a transformer of Llama's shape on the processor: `blockForward` for rows of one text. */
export class KernelTokens {
  readonly kernels: TransformerKernels;
  readonly #parameters: Parameters;
  /** What is no matrix, by path. */
  readonly #others = new Map<string, Place>();
  readonly #scratch: Scratch;
  readonly #speeds: RotarySpeeds;
  /** Whether a layer's queries and keys are turned. */
  readonly #turns: readonly boolean[];
  readonly #allocated: { readonly place: Place; readonly count: number }[] = [];

  constructor(
    readonly config: TransformerConfig,
    private readonly matrices: KernelMatrices,
    others: OtherParameters<NDArray>,
  ) {
    this.kernels = matrices.kernels;
    this.#parameters = makeWithMatrices<Place, KernelMatrix>(
      config,
      (_shape, _role, path) => this.#store(path, others[path]!.data as Float32Array),
      (_shape, _role, path) => matrices.at(path),
    );
    this.#speeds = rotarySpeeds(config);
    this.#turns = Array.from(
      { length: config.layers },
      (_, layer) => layerFrequencies(config, layer) !== undefined,
    );
    this.#scratch = this.#makeScratch();
  }

  /** Reads at most `MOST_ROWS` tokens. @param wanted logits of the last one are wanted, and given */
  read(cache: KernelCache, ids: Int32Array, wanted: boolean): Float32Array | undefined {
    const { config, kernels } = this;
    const { stream, normal, logits, zeros, slots, counts } = this.#scratch;
    const first = cache.position;
    const taken = cache.take(ids.length);
    kernels.ints(slots, ids.length).set(taken.slots);
    kernels.ints(counts, ids.length).set(taken.counts);
    ids.forEach((id, row) => {
      this.#begin(id, first + row, row);
    });
    const most = taken.counts.at(-1)!;
    let branch = zeros;
    this.#parameters.blocks.forEach((block, layer) => {
      branch = this.#block(block, layer, cache, ids.length, most, branch);
    });
    if (!wanted) return undefined;
    const { norm, head, tokenEmbedding } = this.#parameters;
    const last = (ids.length - 1) * config.modelWidth;
    this.#addNormalised(stream + last, branch + last, norm, 1);
    kernels.multiply(logits, head?.weight ?? tokenEmbedding, normal, zeros, 1, this.#scratch.rounded, true);
    return kernels.numbers.slice(logits, logits + config.vocabSize);
  }

  /** All weights as arrays over the kernels' memory, where they have 32 bits. */
  weights(): TransformerParameters<NDArray> {
    const { kernels, matrices } = this;
    return makeWithMatrices<NDArray, NDArray>(
      this.config,
      (shape, _role, path) => kernels.array(this.#others.get(path)!, shape),
      (shape, _role, path) => kernels.array(matrices.at(path).place, shape),
    );
  }

  dispose(): void {
    for (const { place, count } of this.#allocated) this.kernels.release(place, count);
    this.matrices.release();
  }

  /** The token's row into the stream, and the angles of its position. */
  #begin(id: number, position: number, row: number): void {
    const { modelWidth, embeddingScale, headWidth } = this.config;
    const { stream, cos, sin } = this.#scratch;
    const { numbers } = this.kernels;
    this.kernels.row(this.#parameters.tokenEmbedding, id, stream + row * modelWidth, embeddingScale);
    const { frequencies, magnitude } = this.#speeds;
    const pairs = headWidth / 2;
    for (let pair = 0; pair < pairs; pair++) {
      const angle = position * frequencies[pair]!;
      numbers[cos + row * pairs + pair] = magnitude * Math.cos(angle);
      numbers[sin + row * pairs + pair] = magnitude * Math.sin(angle);
    }
  }

  /** One block, whose input is the stream and a branch that is still to be added. @returns the branch of its MLP */
  #block(
    block: Block,
    layer: number,
    cache: KernelCache,
    tokens: number,
    most: number,
    before: Place,
  ): Place {
    const { kernels, config } = this;
    const { stream, normal, branch, packed, read, hidden } = this.#scratch;
    const { mlpWidth } = config;
    this.#addNormalised(stream, before, block.attentionNorm, tokens);
    this.#affine(packed, block.queryKeyValue, normal, tokens, true);
    for (let row = 0; row < tokens; row++) this.#turn(block, layer, row);
    kernels.attend(read, packed, cache.layer(layer), this.#scratch, tokens, most, config);
    this.#affine(branch, block.output, read, tokens);
    this.#addNormalised(stream, branch, block.mlpNorm, tokens);
    this.#affine(hidden, block.up, normal, tokens);
    for (let row = 0; row < tokens; row++) {
      const gate = hidden + 2 * row * mlpWidth;
      kernels.swiGlu(hidden + row * mlpWidth, gate, gate + mlpWidth, mlpWidth);
    }
    this.#affine(branch, block.down, hidden, tokens);
    return branch;
  }

  /**
   * @param fine where rounding the activations costs most of what it costs, and the products are few: queries, keys and
   * values, as the head
   */
  #affine(
    y: Place,
    { weight, bias }: Affine<Place, KernelMatrix>,
    x: Place,
    tokens: number,
    fine = false,
  ): void {
    const { zeros, rounded } = this.#scratch;
    this.kernels.multiply(y, weight, x, bias ?? zeros, tokens, rounded, fine);
  }

  /** Adds branches to rows of the stream, and normalises them. */
  #addNormalised(stream: Place, branch: Place, { gain }: Norm<Place>, rows: number): void {
    const { modelWidth: d, normEpsilon } = this.config;
    for (let at = 0; at < rows * d; at += d) {
      this.kernels.addNormalised(this.#scratch.normal + at, stream + at, branch + at, gain, d, normEpsilon);
    }
  }

  /** Norms of a token's queries and keys, and its angles. */
  #turn({ queryNorm, keyNorm }: Block, layer: number, row: number): void {
    const { heads, keyValueHeads, headWidth: width, normEpsilon } = this.config;
    const { packed, zeros, cos, sin } = this.#scratch;
    const first = packed + row * (heads + 2 * keyValueHeads) * width;
    const turned = heads + keyValueHeads;
    for (let head = 0; head < turned; head++) {
      const norm = head < heads ? queryNorm : keyNorm;
      const at = first + head * width;
      if (norm) this.kernels.addNormalised(at, at, zeros, norm.gain, width, normEpsilon);
    }
    const angles = (row * width) / 2;
    if (this.#turns[layer]) this.kernels.turn(first, turned, width, cos + angles, sin + angles);
  }

  #makeScratch(): Scratch {
    const { modelWidth: d, heads, keyValueHeads, headWidth, mlpWidth, vocabSize } = this.config;
    const rows = (width: number) => this.#allocate(MOST_ROWS * width);
    const packed = (heads + 2 * keyValueHeads) * headWidth;
    const read = heads * headWidth;
    const scoresRoom = slotsOf(this.config) + 4;
    const zeros = Math.max(MOST_ROWS * d, vocabSize + 16, packed, 2 * mlpWidth);
    const scratch = {
      ...{ stream: rows(d), normal: rows(d), branch: rows(d), read: rows(read) },
      ...{ packed: rows(packed), hidden: rows(2 * mlpWidth), zeros: this.#allocate(zeros) },
      rounded: this.#allocate(this.kernels.roundedRoom(MOST_ROWS, Math.max(d, read, mlpWidth))),
      ...{ scores: this.#allocate(heads * scoresRoom), scoresRoom },
      ...{ cos: rows(headWidth / 2), sin: rows(headWidth / 2), slots: rows(1), counts: rows(1) },
      logits: this.#allocate(vocabSize + 16),
    };
    this.kernels.numbers.fill(0, scratch.zeros, scratch.zeros + zeros);
    return scratch;
  }

  #store(path: string, values: Float32Array): Place {
    const place = this.#allocate(values.length);
    this.kernels.numbers.set(values, place);
    this.#others.set(path, place);
    return place;
  }

  #allocate(count: number): Place {
    const place = this.kernels.allocate(count);
    this.#allocated.push({ place, count });
    return place;
  }
}
