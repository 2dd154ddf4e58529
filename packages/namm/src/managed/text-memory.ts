import { treeBytes } from '@palimpsest/lm';
import {
  type DeviceArray,
  disposeTree,
  type NDArray,
  ndarray,
  type ToDevice,
  toHost,
} from '@palimpsest/tensor-core';
import { HOST_ROOM, ROOM } from './extents.js';
import type { Waiting } from './functions.js';
import type { ManagedGraphs } from './graphs.js';
import { HostText } from './host/host-text.js';
import { roomOf, slots } from './host-arrays.js';
import type { ManagedState } from './state.js';

export type DeviceState = ToDevice<ManagedState>;

/** The memory of a batch of texts: in the arrays of graphs, or on the processor while one text is read token by token. */
export class TextMemory {
  #state: DeviceState | undefined;
  #host: HostText | undefined;
  /** Attention of single tokens that no policy has seen yet, oldest first. */
  #waiting: ToDevice<Waiting>[] = [];
  /** Empty slots behind the newest entry, where graphs read single tokens. */
  #room = 0;
  #largest = 0;

  constructor(
    private readonly graphs: ManagedGraphs,
    private readonly batch: number,
  ) {}

  /** Whether nothing was read. */
  get isEmpty(): boolean {
    return !this.#state && !this.#host;
  }

  /** Of all arrays. */
  get bytes(): number {
    if (this.#host) return this.#host.bytes;
    return this.#state ? treeBytes(this.#state) + treeBytes(this.#waiting) : 0;
  }

  /** The most that they were since the beginning: before what waits is taken in, or before an update. */
  get largestBytes(): number {
    return Math.max(this.#largest, this.bytes);
  }

  /** Of keys and values alone, as allocated. */
  get keyValueBytes(): number {
    if (this.#host) return this.#host.keyValueBytes;
    return treeBytes((this.#state?.layers ?? []).map(({ keys, values }) => ({ keys, values })));
  }

  /** What it is on the host; attention that waited is taken in first. Nothing before the first token. */
  async saved(): Promise<ManagedState<NDArray> | undefined> {
    if (this.#host) return this.#host.state();
    if (!this.#state) return undefined;
    await this.#absorb();
    return toHost(this.#state);
  }

  /** Goes on from what was saved. */
  restore(state: ManagedState<NDArray>): void {
    this.reset();
    this.#state = this.graphs.engine.put(state);
    this.#room = roomOf(state);
    this.#noteSize();
  }

  /** Forgets everything. */
  reset(): void {
    disposeTree(this.#state);
    disposeTree(this.#waiting);
    this.#host?.dispose();
    this.#host = undefined;
    this.#state = undefined;
    this.#waiting = [];
    this.#room = 0;
    this.#largest = 0;
  }

  /** Keys and values go over to another memory; what the policy carried is let go of. */
  async handOn(to: TextMemory): Promise<void> {
    await this.#toGraphs();
    const state = this.#state;
    this.#state = undefined;
    if (!state) return;
    disposeTree(state.layers.map(({ policy }) => policy));
    to.#state = {
      ...state,
      layers: state.layers.map(({ keys, values, positions }) => ({ keys, values, positions })),
    };
  }

  /**
   * Puts what an update makes of it in its place.
   * @param update is given arrays that end with the newest entry, and disposes of them
   */
  async update<T extends { readonly state: DeviceState }>(
    update: (state: DeviceState) => Promise<T>,
  ): Promise<T> {
    await this.#toGraphs();
    this.#noteSize();
    const result = await update(this.#state!);
    this.#state = result.state;
    return result;
  }

  /** Reads a piece of every text. @returns logits of all tokens, or of the last */
  async readMany(tokens: NDArray, mask: NDArray | undefined, all: boolean): Promise<DeviceArray> {
    await this.#toGraphs();
    const { graphs } = this;
    const [start, extend] = all ? [graphs.startAll, graphs.extendAll] : [graphs.start, graphs.extend];
    const result = this.#state
      ? await extend(graphs.params, tokens, mask, this.#state)
      : await start(graphs.params, tokens, mask);
    this.#state = result.state;
    return result.logits;
  }

  /**
   * Reads a token of every text.
   * @param left tokens up to the next update, this one counted
   * @param isAmongOthers a lone token among the pieces of a text is not worth the way to the processor's memory
   */
  async readOne(tokens: NDArray, left: number, isAmongOthers: boolean): Promise<DeviceArray> {
    const { graphs, batch } = this;
    const host = isAmongOthers && !this.#host ? undefined : await this.#onHost(left);
    if (host) {
      const logits = await host.read(tokens.data[0]!);
      return graphs.engine.put(ndarray(logits, [1, logits.length]));
    }
    if (this.#room === 0) {
      await this.#absorb();
      this.#room = Math.min(ROOM, left);
      this.#state = await graphs.makeRoom(this.#state!, slots(this.#room));
    }
    const token = ndarray(tokens.data, [batch], 'int32');
    const before = this.#state!;
    const light = {
      ...before,
      layers: before.layers.map(({ keys, values, positions }) => ({ keys, values, positions })),
    };
    const { logits, state, waiting } = await graphs.step(graphs.params, token, light);
    this.#state = {
      ...state,
      layers: state.layers.map((layer, index) => {
        const { policy } = before.layers[index]!;
        return policy ? { ...layer, policy } : layer;
      }),
    };
    this.#room -= 1;
    if (graphs.policy.observe) this.#waiting.push(waiting);
    if (this.#waiting.length >= (graphs.policy.hopLength ?? 16)) await this.#absorb();
    return logits;
  }

  /** The memory on the processor with room for a token; nothing where graphs read tokens. */
  async #onHost(left: number): Promise<HostText | undefined> {
    if (this.#host && this.#host.room > 0) return this.#host;
    const reader = this.batch === 1 ? await this.graphs.host : undefined;
    if (!reader) return undefined;
    if (this.#host) await this.#toGraphs();
    if (this.#waiting.length > 0) return undefined;
    const room = Math.min(HOST_ROOM, left);
    this.#host = await HostText.open(reader, this.#state!, room);
    if (!this.#host) return undefined;
    this.#state = undefined;
    this.#room = 0;
    return this.#host;
  }

  /** Brings the memory to where graphs read it, in arrays that end with the newest entry. */
  async #toGraphs(): Promise<void> {
    if (this.#host) {
      this.#noteSize();
      this.#state = this.graphs.engine.put(await this.#host.state());
      this.#host.dispose();
      this.#host = undefined;
    }
    await this.#absorb();
    await this.#takeRoom();
  }

  /** Lets the arrays end with the newest entry. */
  async #takeRoom(): Promise<void> {
    if (this.#room === 0) return;
    this.#noteSize();
    this.#state = await this.graphs.takeRoom(this.#state!, slots(this.#room));
    this.#room = 0;
  }

  /** Notes how large the memory is, wherever it is about to get smaller. */
  #noteSize(): void {
    this.#largest = this.largestBytes;
  }

  /** Hands attention that waits to the policy. */
  async #absorb(): Promise<void> {
    if (this.#waiting.length === 0) return;
    this.#noteSize();
    const state = this.#state!;
    const carried = state.layers.map(({ policy }) => (policy ? { state: policy } : {}));
    const slots = state.layers.map(({ positions }) => positions);
    const waiting = this.#waiting;
    const next = await this.graphs.absorb({ carried, waiting, position: state.position, slots });
    disposeTree(waiting);
    disposeTree(carried);
    this.#waiting = [];
    this.#state = {
      ...state,
      layers: state.layers.map(({ keys, values, positions }, layer) => {
        const policy = next[layer]?.state;
        const entries = { keys, values, positions };
        return policy ? { ...entries, policy } : entries;
      }),
    };
  }
}
