import type { TransformerConfig } from '@palimpsest/backbone';
import { treeBytes } from '@palimpsest/lm';
import {
  type DeviceArray,
  disposeTree,
  InputError,
  type NDArray,
  ndarray,
  type ToDevice,
  toHost,
} from '@palimpsest/tensor-core';
import { HOST_ROOM, ROOM } from './extents.js';
import type { LayerParameters, Waiting } from './functions.js';
import type { ManagedGraphs } from './graphs.js';
import { HostText } from './host/host-text.js';
import { columns, paddingOf, roomOf, slots } from './host-arrays.js';
import type { ReadOptions } from './read-options.js';
import { pieces, type Schedule } from './schedule.js';
import { emptyHostState, type HostState, type ManagedState, rowsOfState } from './state.js';
import { longestKept, updatedMemory } from './update.js';
import { UpdateTimes } from './update-times.js';

type DeviceState = ToDevice<ManagedState>;

/**
 * Texts of a batch being read by a transformer whose cache a policy manages. All rows have read equally many tokens; a shorter
 * text begins behind padding of a multiple of the interval (or, with
 * adaptive updates, of the hop), so that every row is as it would be alone.
 */
export class ManagedTexts {
  #state: DeviceState | undefined;
  /** The memory while one text is read token by token on the processor. */
  #host: HostText | undefined;
  /** Attention of single tokens that no policy has seen yet, oldest first. */
  #waiting: ToDevice<Waiting>[] = [];
  #parameters: ToDevice<LayerParameters> | undefined;
  #room = 0;
  #seen = 0;
  #largest = 0;
  /** Tokens of padding before each text. */
  #padding: number[];
  #times: UpdateTimes;

  constructor(
    private readonly graphs: ManagedGraphs,
    private readonly schedule: Schedule,
    readonly batch: number,
    private readonly options: ReadOptions = {},
  ) {
    this.#padding = new Array<number>(batch).fill(0);
    this.#times = new UpdateTimes(schedule, this.#padding);
    if (schedule.adaptive && graphs.policy.afterUpdate && batch > 1) {
      throw new InputError(
        `Adaptive updates fall at other places in every text, and the policy '${graphs.policy.name}' begins anew at each; read its texts one by one.`,
      );
    }
    graphs.users += 1;
  }

  /** Options of the model. */
  get modelOptions(): TransformerConfig {
    return this.graphs.model.options;
  }

  /** Tokens read, padding counted. */
  get seen(): number {
    return this.#seen;
  }

  /** Bytes of all arrays that the memory consists of. */
  get stateBytes(): number {
    const times = treeBytes(this.#times.saved);
    if (this.#host) return this.#host.bytes + times;
    return this.#state ? treeBytes(this.#state) + treeBytes(this.#waiting) + times : 0;
  }

  /** The most that these bytes were, since the texts began: before what waits is taken in, or before an update. */
  get largestStateBytes(): number {
    return Math.max(this.#largest, this.stateBytes);
  }

  /** Bytes of keys and values alone, as allocated. */
  get keyValueBytes(): number {
    if (this.#host) return this.#host.keyValueBytes;
    return treeBytes((this.#state?.layers ?? []).map(({ keys, values }) => ({ keys, values })));
  }

  /**
   * Reads more of every text.
   * @param tokens int32 `[batch, time]`
   * @param mask 0/1 `[batch, time]`, 0 before the beginning of a shorter text; only in the first reading
   * @param lastUpdate whether an update that falls behind the last token happens now, or by `update` later
   * @returns logits after the last token, `[batch, vocabSize]`, the caller's to dispose of
   */
  async read(tokens: NDArray, mask?: NDArray, lastUpdate: 'now' | 'later' = 'now'): Promise<DeviceArray> {
    let logits: DeviceArray | undefined;
    for await (const part of this.#pieces(tokens, mask, { all: false, lastUpdate })) {
      logits?.dispose();
      logits = part;
    }
    if (!logits) throw new InputError('There is nothing to read: give at least one token.');
    return logits;
  }

  /** Reads more of every text and gives all logits on the host, `[batch, time, vocabSize]`. */
  async readAll(tokens: NDArray, mask?: NDArray): Promise<NDArray<'float32'>> {
    const [batch, time] = tokens.shape as [number, number];
    const width = this.graphs.model.vocabSize;
    const all = new Float32Array(batch * time * width);
    let at = 0;
    for await (const part of this.#pieces(tokens, mask, { all: true, lastUpdate: 'now' })) {
      const values = await part.data();
      part.dispose();
      const count = values.length / (batch * width);
      for (let row = 0; row < batch; row++) {
        const rows = values.subarray(row * count * width, (row + 1) * count * width);
        all.set(rows, (row * time + at) * width);
      }
      at += count;
    }
    return ndarray(all, [batch, time, width]);
  }

  /** The memory on the host. Attention that waited is taken in first. */
  async state(): Promise<HostState> {
    if (this.#host) return { ...(await this.#host.state()), ...this.#times.saved };
    if (!this.#state) return emptyHostState(this.batch);
    await this.#absorb();
    return { ...(await toHost(this.#state)), ...this.#times.saved };
  }

  /** Goes on from a memory on the host. */
  restore(state: HostState): void {
    this.reset();
    if (state.layers.length === 0) return;
    const { due, ...memory } = state;
    const seen = memory.seen.data[0]!;
    const padding = Array.from(memory.position.data, (position) => seen - position);
    this.#times = UpdateTimes.restored(this.schedule, padding, due);
    this.#state = this.graphs.engine.put(memory);
    this.#seen = seen;
    this.#padding = padding;
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
    this.#seen = 0;
    this.#largest = 0;
    this.#padding.fill(0);
    this.#times = new UpdateTimes(this.schedule, this.#padding);
  }

  /**
   * Independent texts with the pasts of some of these.
   * @param rows text of this batch that each new one continues; default: all, in order
   * @param options of the new texts; default: those of these
   */
  async fork(rows?: readonly number[], options = this.options): Promise<ManagedTexts> {
    const copy = new ManagedTexts(this.graphs, this.schedule, rows?.length ?? this.batch, options);
    if (this.#state || this.#host)
      copy.restore(rows ? rowsOfState(await this.state(), rows) : await this.state());
    return copy;
  }

  /**
   * The same texts, read on by other graphs of the model; what the policy carried is let go of, and so are these.
   * @param graphs of a policy that begins with what is in the cache
   */
  async handOn(graphs: ManagedGraphs): Promise<ManagedTexts> {
    await this.#toGraphs();
    const next = new ManagedTexts(graphs, this.schedule, this.batch);
    const state = this.#state;
    if (state) {
      disposeTree(state.layers.map(({ policy }) => policy));
      next.#state = {
        ...state,
        layers: state.layers.map(({ keys, values, positions }) => ({ keys, values, positions })),
      };
    }
    this.#state = undefined;
    next.#seen = this.#seen;
    next.#padding = [...this.#padding];
    next.#times = this.#times;
    await this.dispose();
    return next;
  }

  /** Scores, decides, and gathers what stays: an update that a reading has left for later. */
  async update(): Promise<void> {
    const { graphs } = this;
    const { managed } = graphs;
    const policy = this.options.policy ?? graphs.policy;
    const { retention } = policy;
    const due = this.#times.dueAt(this.#seen);
    if (managed.length === 0 || retention.kind === 'everything' || due?.includes(true) === false) return;
    await this.#toGraphs();
    const state = this.#state!;
    this.#noteSize();
    this.#parameters ??= graphs.parametersOf(policy);
    const tokensSeen = this.#padding.map((padding) => Math.max(0, this.#seen - padding));
    const { extents, reportsCarried } = this.options;
    const update = {
      state,
      parameters: this.#parameters,
      retention,
      tokensSeen,
      due,
      extents,
      reportsCarried,
    };
    const { state: next, layers } = await updatedMemory(graphs, update);
    this.#state = next;
    this.#times.passed(this.#seen, longestKept(layers));
    this.options.onUpdate?.({ seen: this.#seen, layers, ...(due && { due }) });
  }

  async dispose(): Promise<void> {
    this.reset();
    disposeTree(this.#parameters);
    this.#parameters = undefined;
    await this.graphs.release();
  }

  async *#pieces(
    tokens: NDArray,
    mask: NDArray | undefined,
    { all, lastUpdate }: { readonly all: boolean; readonly lastUpdate: 'now' | 'later' },
  ): AsyncGenerator<DeviceArray> {
    this.#check(tokens, mask);
    const time = tokens.shape[1]!;
    const updateAfter = (seen: number) => this.#times.next(seen);
    for (const { from, count, updates } of pieces(this.#seen, time, this.schedule, updateAfter)) {
      const part = columns(tokens, from, count);
      const seenPart = mask && columns(mask, from, count);
      yield count === 1 && (this.#state || this.#host) && !seenPart
        ? await this.#readOne(part, all)
        : await this.#readMany(part, seenPart, all);
      this.#seen += count;
      const waits = lastUpdate === 'later' && from + count === time;
      if (updates && !waits) await this.update();
    }
  }

  async #readMany(tokens: NDArray, mask: NDArray | undefined, all: boolean): Promise<DeviceArray> {
    await this.#toGraphs();
    const { graphs } = this;
    const [start, extend] = all ? [graphs.startAll, graphs.extendAll] : [graphs.start, graphs.extend];
    const result = this.#state
      ? await extend(graphs.params, tokens, mask, this.#state)
      : await start(graphs.params, tokens, mask);
    this.#state = result.state;
    return result.logits;
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

  /** The memory on the processor with room for a token; nothing where graphs read tokens. */
  async #onHost(): Promise<HostText | undefined> {
    if (this.#host && this.#host.room > 0) return this.#host;
    const reader = this.batch === 1 ? await this.graphs.host : undefined;
    if (!reader) return undefined;
    if (this.#host) await this.#toGraphs();
    if (this.#waiting.length > 0) return undefined;
    const room = Math.min(HOST_ROOM, this.#times.next(this.#seen) - this.#seen);
    this.#host = await HostText.open(reader, this.#state!, room);
    if (!this.#host) return undefined;
    this.#state = undefined;
    this.#room = 0;
    return this.#host;
  }

  /** Notes how large the memory is, wherever it is about to get smaller. */
  #noteSize(): void {
    this.#largest = this.largestStateBytes;
  }

  /** Lets the arrays end with the newest entry. */
  async #takeRoom(): Promise<void> {
    if (this.#room === 0) return;
    this.#noteSize();
    this.#state = await this.graphs.takeRoom(this.#state!, slots(this.#room));
    this.#room = 0;
  }

  async #readOne(tokens: NDArray, all: boolean): Promise<DeviceArray> {
    const { graphs, batch } = this;
    // A lone token among the pieces of a text is not worth the way to the processor's memory.
    const host = all && !this.#host ? undefined : await this.#onHost();
    if (host) {
      const logits = await host.read(tokens.data[0]!);
      return graphs.engine.put(ndarray(logits, [1, logits.length]));
    }
    if (this.#room === 0) {
      await this.#absorb();
      this.#room = Math.min(ROOM, this.#times.next(this.#seen) - this.#seen);
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
        return { keys, values, positions, ...(policy && { policy }) };
      }),
    };
  }

  #check(tokens: NDArray, mask: NDArray | undefined): void {
    const batch = tokens.shape[0];
    if (batch !== this.batch) {
      throw new InputError(`${this.batch} texts are being read, but tokens of ${batch} were given.`);
    }
    if (!mask) return;
    if (this.#seen > 0)
      throw new InputError(
        'Padding stands before the beginning of a text: give a mask with the first tokens alone.',
      );
    this.#padding = paddingOf(mask, this.schedule);
    this.#times = new UpdateTimes(this.schedule, this.#padding);
  }
}
