import { InputError, type NDArray, ndarray, type Place } from '@palimpsest/base';
import type { Decoder } from '@palimpsest/lm';
import type { Activation } from '../config.js';
import { contextIds } from '../plan.js';
import type { Cache, HostRoom } from './host-room.js';
import type { HostLayer, HostMatrix, HostMlp, HostNorm } from './host-weights.js';

/** What the memory consists of besides the keys, which follow from it. */
interface KeptState {
  readonly position: NDArray<'int32'>;
  readonly context?: NDArray<'int32'> | undefined;
  readonly states: NDArray;
  readonly ids: NDArray<'int32'>;
}

/** The memory as the model's own `initState` has it, for a batch of one, on the host. */
export interface HostState extends KeptState {
  readonly keys: readonly (readonly { readonly key: NDArray; readonly value: NDArray }[])[];
}

/**
 * Tokens of one text on the processor itself: begin, extend and end of a segment row by row over preallocated keys, so that a
 * token costs what reading the weights and the open segment's keys costs, whatever came before.
 */
export class HostDecoder implements Decoder {
  readonly #room: HostRoom;
  readonly #first: HostState;
  readonly #cache: Cache;
  readonly #ids: Int32Array<ArrayBuffer>;
  #position = 0;
  #states = new Float32Array(0);

  /** @param first the memory before the first token */
  constructor(room: HostRoom, first: HostState) {
    this.#room = room;
    this.#first = first;
    this.#cache = room.take();
    this.#ids = new Int32Array(first.ids.data.length);
    this.#load(first);
  }

  get stateBytes(): number {
    const { position, context, states, ids, keys } = this.#first;
    const leaves = [
      position,
      ...(context ? [context] : []),
      ids,
      states,
      ...keys.flat().flatMap(({ key, value }) => [key, value]),
    ];
    return leaves.reduce((sum, leaf) => sum + 4 * leaf.data.length, 0);
  }

  async read(ids: ArrayLike<number>): Promise<Float32Array> {
    for (let i = 0; i < ids.length; i++) this.#token(ids[i]!, i === ids.length - 1);
    const { weights, scratch } = this.#room;
    this.#multiply(scratch.logits, weights.head, this.#lastRow);
    return weights.kernels.view(scratch.logits, weights.config.vocabSize).slice();
  }

  async state(): Promise<HostState> {
    const { config, plans } = this.#room.weights;
    const { numLayers: L, numHeads: H, stateLen: S, segmentLen: N } = config;
    const kept = S + N;
    const columns = kept + S;
    const { numbers } = this.#room.weights.kernels;
    const copy = (places: readonly (readonly Place[])[], pass: number, width: number) => {
      const result = new Float32Array(L * H * kept * width);
      for (let layer = 0; layer < L; layer++) {
        for (let head = 0; head < H; head++) {
          const from = places[layer]![pass]! + head * columns * width;
          result.set(numbers.subarray(from, from + kept * width), (layer * H + head) * kept * width);
        }
      }
      return ndarray(result, [1, L * H, kept, width]);
    };
    return {
      ...this.#kept(),
      keys: plans.map(({ index, keyWidth, valueWidth }) => [
        { key: copy(this.#cache.keys, index, keyWidth), value: copy(this.#cache.values, index, valueWidth) },
      ]),
    };
  }

  async restore(state: unknown): Promise<void> {
    this.#load(state as HostState);
  }

  readonly compact = {
    state: async (): Promise<KeptState> => this.#kept(),
    restore: async (kept: unknown): Promise<void> => this.#readAgain(kept as KeptState),
  };

  async reset(): Promise<void> {
    this.#load(this.#first);
  }

  async fork(): Promise<HostDecoder> {
    const fork = new HostDecoder(this.#room, this.#first);
    fork.#load(await this.state());
    return fork;
  }

  async dispose(): Promise<void> {
    this.#room.give(this.#cache);
  }

  /** The memory without the keys. */
  #kept(): KeptState {
    const { config } = this.#room.weights;
    const { numLayers: L, stateLen: S, dimInput: d } = config;
    const g = contextIds(config);
    const int = (values: Int32Array<ArrayBuffer>) => ndarray(values, [1, values.length], 'int32');
    return {
      position: ndarray(Int32Array.of(this.#position), [1], 'int32'),
      context: g > 0 ? int(this.#ids.slice(this.#position, this.#position + g)) : undefined,
      states: ndarray(this.#states.slice(), [1, L, S, d]),
      ids: int(this.#ids.slice()),
    };
  }

  /** The open segment's keys, from its ids and the states before it. */
  #readAgain({ position, states, ids }: KeptState): void {
    const { config, layers } = this.#room.weights;
    const isId = (id: number) => id >= 0 && id < config.vocabSize;
    if (!(position.data[0]! >= 0 && position.data[0]! < config.segmentLen && ids.data.every(isId))) {
      throw new InputError('The compact memory holds a position or ids that this model does not have.');
    }
    const { stateLen: S, dimInput: d } = config;
    const g = contextIds(config);
    this.#states = Float32Array.from(states.data);
    this.#ids.set(ids.data);
    this.#position = 0;
    for (const [index, layer] of layers.entries()) {
      this.#begin(layer, index, this.#states.subarray(index * S * d, (index + 1) * S * d));
    }
    for (const id of ids.data.slice(g, g + position.data[0]!)) this.#token(id, false);
  }

  /** The last layer's output of the token that was read last. */
  get #lastRow(): Place {
    return this.#room.scratch.row;
  }

  #load({ position, states, ids, keys }: HostState): void {
    const { config, plans, kernels } = this.#room.weights;
    const { numLayers: L, numHeads: H, stateLen: S, segmentLen: N } = config;
    const kept = S + N;
    this.#position = position.data[0]!;
    this.#ids.set(ids.data);
    this.#states = Float32Array.from(states.data);
    const put = (
      places: readonly (readonly Place[])[],
      pass: number,
      width: number,
      data: ArrayLike<number>,
    ) => {
      const values = data as Float32Array;
      for (let group = 0; group < L * H; group++) {
        const to = places[Math.floor(group / H)]![pass]! + (group % H) * (kept + S) * width;
        kernels.numbers.set(values.subarray(group * kept * width, (group + 1) * kept * width), to);
      }
    };
    for (const { index, keyWidth, valueWidth } of plans) {
      const [stage] = keys[index]!;
      put(this.#cache.keys, index, keyWidth, stage!.key.data);
      put(this.#cache.values, index, valueWidth, stage!.value.data);
    }
  }

  #multiply(y: Place, { weight, bias, rows, columns }: HostMatrix, x: Place, relu = false): void {
    this.#room.weights.kernels.multiply(y, weight, x, bias, rows, columns, relu);
  }

  #addNormalised(y: Place, sum: Place, branch: Place, { gain, bias }: HostNorm): void {
    this.#room.weights.kernels.addNormalised(y, sum, branch, gain, bias, this.#room.weights.config.dimInput);
  }

  /** @param wanted whether anybody reads what the last layer gives, in place of the keys that it leaves */
  #token(id: number, wanted: boolean): void {
    const { config, layers } = this.#room.weights;
    const { stateLen: S, segmentLen: N } = config;
    this.#embed(id);
    const column = S + this.#position;
    for (const [index, layer] of layers.entries()) {
      this.#tokenThrough(layer, index, column, wanted || index < layers.length - 1);
    }
    this.#position += 1;
    if (this.#position === N) this.#cross();
  }

  /** Embedding of a token with its n-grams, into `row`. */
  #embed(id: number): void {
    const { config, kernels, embedding, ngrams } = this.#room.weights;
    const { row, window, branch, hidden } = this.#room.scratch;
    const d = config.dimInput;
    const { numbers } = kernels;
    const of = (token: number) => embedding.subarray(token * d, (token + 1) * d);
    numbers.set(of(id), row);
    const last = contextIds(config) + this.#position;
    this.#ids[last] = id;
    for (const { size, down, up } of ngrams) {
      for (let i = 0; i < size; i++) numbers.set(of(this.#ids[last + 1 - size + i]!), window + i * d);
      this.#multiply(hidden, down, window);
      numbers.fill(0, hidden + down.rows, hidden + up.columns);
      this.#multiply(branch, up, hidden);
      for (let i = 0; i < d; i++) numbers[row + i]! += numbers[branch + i]!;
    }
  }

  /** A token row of one layer: `row` becomes the layer's output. */
  #tokenThrough(layer: HostLayer, index: number, column: number, wanted: boolean): void {
    const { row, inner, branch, heads } = this.#room.scratch;
    this.#passes(layer.token, index, row, column, wanted);
    if (!wanted) return;
    this.#multiply(branch, layer.tokenOutput, heads);
    this.#addNormalised(inner, row, branch, layer.attentionNorm);
    this.#mlp(layer.mlp, inner);
    this.#addNormalised(row, inner, branch, layer.mlpNorm);
  }

  /** One row through all passes; its keys and values go into the column. Leaves the heads' outputs when they are wanted. */
  #passes(
    projections: HostLayer['token'],
    layer: number,
    input: Place,
    column: number,
    wanted: boolean,
  ): void {
    const { weights, scratch } = this.#room;
    const { kernels, config, plans } = weights;
    const { packed, heads, scores } = scratch;
    const H = config.numHeads;
    const columns = 2 * config.stateLen + config.segmentLen;
    for (const plan of plans) {
      const { keyWidth: k, valueWidth: v, packedWidth: e, inputWidth: c, scale, index } = plan;
      const matrices = projections[index]!;
      if (index === 0) this.#multiply(packed, matrices[0]!, input);
      else
        for (let head = 0; head < H; head++)
          this.#multiply(packed + head * e, matrices[head]!, heads + head * c);
      const [keys, values] = [this.#cache.keys[layer]![index]!, this.#cache.values[layer]![index]!];
      for (let head = 0; head < H; head++) {
        const query = packed + head * e;
        this.#turn(index, query, column, k);
        this.#turn(index, query + k, column, k);
        const { numbers } = kernels;
        numbers.copyWithin(keys + (head * columns + column) * k, query + k, query + 2 * k);
        numbers.copyWithin(values + (head * columns + column) * v, query + 2 * k, query + 2 * k + v);
        if (!wanted && plan.isLast) continue;
        const [ownKeys, ownValues] = [keys + head * columns * k, values + head * columns * v];
        kernels.attend(heads + head * v, query, ownKeys, ownValues, scores, column + 1, k, v, scale);
      }
    }
  }

  /** Rotary positions. @param row number in the layout, which is the column */
  #turn(pass: number, place: Place, row: number, width: number): void {
    const angles = this.#room.weights.angles[pass];
    if (!angles) return;
    const { pairs, cos, sin } = angles;
    const { numbers } = this.#room.weights.kernels;
    for (let i = 0; i < pairs && i < width; i++) {
      const [a, b] = [numbers[place + i]!, numbers[place + pairs + i]!];
      const [c, s] = [cos[row * pairs + i]!, sin[row * pairs + i]!];
      numbers[place + i] = a * c - b * s;
      numbers[place + pairs + i] = b * c + a * s;
    }
  }

  /** The MLP of `x`, into `branch`. */
  #mlp(mlp: HostMlp, x: Place): void {
    const { branch, hidden, gate } = this.#room.scratch;
    const { activation } = this.#room.weights.config;
    if ('plain' in mlp) {
      const last = mlp.plain.length - 1;
      mlp.plain.forEach((map, i) => {
        const from = i === 0 ? x : i % 2 === 1 ? hidden : gate;
        const to = i === last ? branch : i % 2 === 0 ? hidden : gate;
        this.#multiply(to, map, from, activation === 'relu' && i < last);
        if (i < last) this.#activate(activation, to, map.rows, mlp.beta);
      });
      return;
    }
    if ('gated' in mlp) {
      let from = x;
      for (const map of mlp.gated) {
        this.#multiply(gate, map.gate, from);
        this.#activate(activation, gate, map.gate.rows, map.beta);
        this.#multiply(branch, map.value, from);
        this.#times(hidden, gate, branch, map.value.rows);
        from = hidden;
      }
      this.#room.weights.kernels.numbers.copyWithin(branch, hidden, hidden + mlp.gated.at(-1)!.value.rows);
      return;
    }
    this.#multiply(gate, mlp.gate, x);
    this.#activate(activation, gate, mlp.gate.rows, 1);
    this.#multiply(branch, mlp.value, x);
    this.#times(hidden, gate, branch, mlp.value.rows);
    this.#multiply(branch, mlp.output, hidden);
  }

  #times(y: Place, a: Place, b: Place, count: number): void {
    const { numbers } = this.#room.weights.kernels;
    for (let i = 0; i < count; i++) numbers[y + i] = numbers[a + i]! * numbers[b + i]!;
  }

  #activate(activation: Activation, x: Place, count: number, beta: number): void {
    const { kernels } = this.#room.weights;
    if (activation === 'relu') return;
    if (activation === 'gelu' || activation === 'geglu' || activation === 'ffngeglu') {
      kernels.gelu(x, count);
      return;
    }
    const { numbers } = kernels;
    const sigmoid = (value: number) => 1 / (1 + Math.exp(-value));
    for (let i = x; i < x + count; i++) {
      const value = numbers[i]!;
      if (activation === 'abs') numbers[i] = Math.abs(value);
      else if (activation === 'ffnglu') numbers[i] = sigmoid(value);
      else numbers[i] = value * sigmoid(activation === 'ffnswiglu' ? value : beta * value);
    }
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
        const state = this.#states.subarray(start + i * d, start + (i + 1) * d);
        kernels.numbers.set(state, scratch.row);
        this.#passes(layer.state, index, scratch.row, S + N + i, true);
        this.#multiply(scratch.branch, layer.stateOutput, scratch.heads);
        this.#update(layer, state);
        next.set(kernels.view(scratch.inner, d), i * d);
      }
      this.#states.set(next, start);
      this.#begin(layer, index, next);
    }
    kernels.numbers.set(output, scratch.row);
    const g = contextIds(config);
    this.#ids.copyWithin(0, N, N + g);
    this.#ids.fill(config.padId, g);
    this.#position = 0;
  }

  /** The read rows of a layer: they depend on its state alone. */
  #begin(layer: HostLayer, index: number, state: Float32Array): void {
    const { weights, scratch } = this.#room;
    const { stateLen: S, dimInput: d } = weights.config;
    for (let i = 0; i < S; i++) {
      weights.kernels.numbers.set(state.subarray(i * d, (i + 1) * d), scratch.row);
      this.#passes(layer.state, index, scratch.row, i, false);
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
      this.#addNormalised(inner, row, zeros, layer.stateNorm);
      return;
    }
    if (config.stateUpdate === 'residual') {
      numbers.set(state, row);
      this.#addNormalised(inner, row, branch, layer.stateNorm);
      return;
    }
    numbers.set(state, pair);
    numbers.copyWithin(pair + d, branch, branch + d);
    this.#multiply(gate, layer.stateGate!, pair);
    for (let i = 0; i < d; i++) {
      const share = 1 / (1 + Math.exp(-numbers[gate + i]!));
      numbers[row + i] = numbers[branch + i]! + share * (state[i]! - numbers[branch + i]!);
    }
    this.#addNormalised(inner, row, zeros, layer.stateNorm);
  }
}
