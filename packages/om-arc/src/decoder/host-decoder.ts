import { InputError, type NDArray, ndarray } from '@palimpsest/base';
import type { SegmentDecoder } from '@palimpsest/lm';
import { contextIds } from '../plan.js';
import type { Cache, HostRoom } from './host-room.js';
import { HostSegment } from './host-segment.js';

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
 * Tokens of one text on the processor itself, so that a token costs what reading the weights and the open segment's keys costs,
 * whatever came before.
 */
export class HostDecoder implements SegmentDecoder {
  readonly #room: HostRoom;
  readonly #first: HostState;
  readonly #cache: Cache;
  readonly #segment: HostSegment;

  /** @param first the memory before the first token */
  constructor(room: HostRoom, first: HostState) {
    this.#room = room;
    this.#first = first;
    this.#cache = room.take();
    this.#segment = new HostSegment(room, this.#cache);
    this.#load(first);
  }

  get position(): number {
    return this.#segment.position;
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
    for (let i = 0; i < ids.length; i++) this.#segment.token(ids[i]!, i === ids.length - 1);
    const { weights, scratch } = this.#room;
    this.#room.multiply(scratch.logits, weights.head, scratch.row);
    return weights.kernels.view(scratch.logits, weights.config.vocabSize).slice();
  }

  async state(): Promise<HostState> {
    const { config, plans } = this.#room.weights;
    const { numLayers: L, numHeads: H, stateLen: S, segmentLen: N } = config;
    const kept = S + N;
    const keys = plans.map(({ index, keyWidth, valueWidth }) => {
      const key = new Float32Array(L * H * kept * keyWidth);
      const value = new Float32Array(L * H * kept * valueWidth);
      for (let group = 0; group < L * H; group++) {
        const copy = this.#cache[Math.floor(group / H)]![index]!.read(group % H, kept);
        key.set(copy.keys, group * kept * keyWidth);
        value.set(copy.values, group * kept * valueWidth);
      }
      const shape = (width: number) => [1, L * H, kept, width];
      return [{ key: ndarray(key, shape(keyWidth)), value: ndarray(value, shape(valueWidth)) }];
    });
    return { ...this.#kept(), keys };
  }

  async restore(state: unknown): Promise<void> {
    this.#requireOwn(state as HostState);
    this.#load(state as HostState);
  }

  readonly compact = {
    state: async (): Promise<KeptState> => this.#kept(),
    restore: async (kept: unknown): Promise<void> => {
      this.#requireOwn(kept as KeptState);
      this.#readAgain(kept as KeptState);
    },
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
    const { position: open, ids, states } = this.#segment;
    const g = contextIds(config);
    const int = (values: Int32Array<ArrayBuffer>) => ndarray(values, [1, values.length], 'int32');
    return {
      position: ndarray(Int32Array.of(open), [1], 'int32'),
      context: g > 0 ? int(ids.slice(open, open + g)) : undefined,
      states: ndarray(states.slice(), [1, L, S, d]),
      ids: int(ids.slice()),
    };
  }

  /** @throws InputError for what would be written or read beyond the open segment or the vocabulary. */
  #requireOwn({ position, ids }: KeptState): void {
    const { segmentLen, vocabSize } = this.#room.weights.config;
    const open = position.data[0]!;
    const isId = (id: number) => id >= 0 && id < vocabSize;
    if (!(open >= 0 && open < segmentLen && ids.data.every(isId))) {
      throw new InputError('The memory holds a position or ids that this model does not have.');
    }
  }

  /** The open segment's keys, from its ids and the states before it. */
  #readAgain({ position, states, ids }: KeptState): void {
    const { config } = this.#room.weights;
    const g = contextIds(config);
    this.#segment.ids.set(ids.data);
    this.#segment.begin(states.data);
    for (const id of ids.data.slice(g, g + position.data[0]!)) this.#segment.token(id, false);
  }

  #load({ position, states, ids, keys }: HostState): void {
    const { config, plans } = this.#room.weights;
    const { numLayers: L, numHeads: H } = config;
    const kept = config.stateLen + config.segmentLen;
    this.#segment.position = position.data[0]!;
    this.#segment.ids.set(ids.data);
    this.#segment.states.set(states.data);
    for (const { index, keyWidth, valueWidth } of plans) {
      const [stage] = keys[index]!;
      const own = ({ data }: NDArray, group: number, width: number) =>
        (data as Float32Array).subarray(group * kept * width, (group + 1) * kept * width);
      for (let group = 0; group < L * H; group++) {
        const keys = own(stage!.key, group, keyWidth);
        const values = own(stage!.value, group, valueWidth);
        this.#cache[Math.floor(group / H)]![index]!.write(group % H, { keys, values });
      }
    }
  }
}
