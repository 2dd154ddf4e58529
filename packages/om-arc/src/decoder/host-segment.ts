import { contextIds } from '../plan.js';
import { applyMlp } from './host-mlp.js';
import { HostPasses } from './host-passes.js';
import type { Cache, HostRoom } from './host-room.js';
import type { HostLayer } from './host-weights.js';

/**
 * The open segment of one text: begin, extend and end row by row over preallocated keys (DERIVATION.md, "Decoding on the
 * processor").
 */
export class HostSegment {
  readonly #room: HostRoom;
  readonly #passes: HostPasses;
  /** Of every layer, before the segment: `[L, S, d]`. */
  readonly states: Float32Array<ArrayBuffer>;
  /** The ids of the context and of the segment, `[g + N]`. */
  readonly ids: Int32Array<ArrayBuffer>;
  /** Tokens that are in the segment. */
  position = 0;

  constructor(room: HostRoom, cache: Cache) {
    const { config } = room.weights;
    this.#room = room;
    this.#passes = new HostPasses(room, cache);
    this.states = new Float32Array(config.numLayers * config.stateLen * config.dimInput);
    this.ids = new Int32Array(contextIds(config) + config.segmentLen);
  }

  /** Takes up the states, and leaves the keys of their read rows. */
  begin(states: ArrayLike<number>): void {
    const { config, layers } = this.#room.weights;
    const { stateLen: S, dimInput: d } = config;
    this.states.set(states);
    this.position = 0;
    for (const [index, layer] of layers.entries()) {
      this.#readRows(layer, index, this.states.subarray(index * S * d, (index + 1) * S * d));
    }
  }

  /**
   * One more token, whose output is left in the scratch's `row`.
   * @param wanted whether anybody reads what the last layer gives, in place of the keys that it leaves
   */
  token(id: number, wanted: boolean): void {
    const { config, layers } = this.#room.weights;
    const { stateLen: S, segmentLen: N } = config;
    this.#embed(id);
    const column = S + this.position;
    for (const [index, layer] of layers.entries()) {
      this.#tokenThrough(layer, index, column, wanted || index < layers.length - 1);
    }
    this.position += 1;
    if (this.position === N) this.#cross();
  }

  /** Embedding of a token with its n-grams, into `row`. */
  #embed(id: number): void {
    const { config, kernels, embedding, ngrams } = this.#room.weights;
    const { row, window, branch, hidden } = this.#room.scratch;
    const d = config.dimInput;
    const { numbers } = kernels;
    const of = (token: number) => embedding.subarray(token * d, (token + 1) * d);
    numbers.set(of(id), row);
    const last = contextIds(config) + this.position;
    this.ids[last] = id;
    for (const { size, down, up } of ngrams) {
      for (let i = 0; i < size; i++) numbers.set(of(this.ids[last + 1 - size + i]!), window + i * d);
      this.#room.multiply(hidden, down, window);
      numbers.fill(0, hidden + down.weight.rows, hidden + up.weight.columns);
      this.#room.multiply(branch, up, hidden);
      for (let i = 0; i < d; i++) numbers[row + i]! += numbers[branch + i]!;
    }
  }

  /** A token row of one layer: `row` becomes the layer's output. */
  #tokenThrough(layer: HostLayer, index: number, column: number, wanted: boolean): void {
    const { row, inner, branch, heads } = this.#room.scratch;
    this.#passes.run(layer.token, index, row, column, wanted);
    if (!wanted) return;
    this.#room.multiply(branch, layer.tokenOutput, heads);
    this.#room.addNormalised(inner, row, branch, layer.attentionNorm);
    applyMlp(this.#room, layer.mlp, inner);
    this.#room.addNormalised(row, inner, branch, layer.mlpNorm);
  }

  /** A full segment: its write rows give the next states, whose read rows open the next segment. */
  #cross(): void {
    const { weights, scratch } = this.#room;
    const { config, layers, kernels } = weights;
    const { stateLen: S, segmentLen: N, dimInput: d } = config;
    // The row of the last token is still to be read by the head.
    const output = kernels.view(scratch.row, d).slice();
    for (const [index, layer] of layers.entries()) {
      const start = index * S * d;
      const next = new Float32Array(S * d);
      for (let i = 0; i < S; i++) {
        const state = this.states.subarray(start + i * d, start + (i + 1) * d);
        kernels.numbers.set(state, scratch.row);
        this.#passes.run(layer.state, index, scratch.row, S + N + i, true);
        this.#room.multiply(scratch.branch, layer.stateOutput, scratch.heads);
        this.#update(layer, state);
        next.set(kernels.view(scratch.inner, d), i * d);
      }
      this.states.set(next, start);
      this.#readRows(layer, index, next);
    }
    kernels.numbers.set(output, scratch.row);
    const g = contextIds(config);
    this.ids.copyWithin(0, N, N + g);
    this.ids.fill(config.padId, g);
    this.position = 0;
  }

  /** The read rows of a layer: they depend on its state alone. */
  #readRows(layer: HostLayer, index: number, state: Float32Array): void {
    const { weights, scratch } = this.#room;
    const { stateLen: S, dimInput: d } = weights.config;
    for (let i = 0; i < S; i++) {
      weights.kernels.numbers.set(state.subarray(i * d, (i + 1) * d), scratch.row);
      this.#passes.run(layer.state, index, scratch.row, i, false);
    }
  }

  /** The new state vector, into `inner`, from the old one and what its write row gathered in `branch`. */
  #update(layer: HostLayer, state: Float32Array): void {
    const { weights, scratch } = this.#room;
    const { row, branch, inner, pair, gate } = scratch;
    const { kernels, config, zeros } = weights;
    const d = config.dimInput;
    const { numbers } = kernels;
    if (config.stateUpdate === 'replace') {
      numbers.copyWithin(row, branch, branch + d);
      this.#room.addNormalised(inner, row, zeros, layer.stateNorm);
      return;
    }
    if (config.stateUpdate === 'residual') {
      numbers.set(state, row);
      this.#room.addNormalised(inner, row, branch, layer.stateNorm);
      return;
    }
    numbers.set(state, pair);
    numbers.copyWithin(pair + d, branch, branch + d);
    this.#room.multiply(gate, layer.stateGate!, pair);
    for (let i = 0; i < d; i++) {
      const share = 1 / (1 + Math.exp(-numbers[gate + i]!));
      numbers[row + i] = numbers[branch + i]! + share * (state[i]! - numbers[branch + i]!);
    }
    this.#room.addNormalised(inner, row, zeros, layer.stateNorm);
  }
}
