import type { TransformerConfig } from '@palimpsest/backbone';
import { treeBytes } from '@palimpsest/lm';
import {
  type DeviceArray,
  disposeTree,
  InputError,
  type NDArray,
  ndarray,
  type ToDevice,
} from '@palimpsest/tensor-core';
import type { LayerParameters } from './functions.js';
import type { ManagedGraphs } from './graphs.js';
import { columns, paddingOf } from './host-arrays.js';
import type { ReadOptions } from './read-options.js';
import { pieces, type Schedule } from './schedule.js';
import { emptyHostState, type HostState, rowsOfState } from './state.js';
import { TextMemory } from './text-memory.js';
import { longestKept, updatedMemory } from './update.js';
import { UpdateTimes } from './update-times.js';

/**
 * Texts of a batch being read by a transformer whose cache a policy manages. All rows have read equally many tokens; a shorter
 * text begins behind padding of a multiple of the interval (or, with
 * adaptive updates, of the hop), so that every row is as it would be alone.
 */
export class ManagedTexts {
  readonly #memory: TextMemory;
  #parameters: ToDevice<LayerParameters> | undefined;
  #seen = 0;
  /** Tokens of padding before each text. */
  #padding: number[];
  #times: UpdateTimes;

  constructor(
    private readonly graphs: ManagedGraphs,
    private readonly schedule: Schedule,
    readonly batch: number,
    private readonly options: ReadOptions = {},
  ) {
    this.#memory = new TextMemory(graphs, batch);
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
    return this.#withTimes(this.#memory.bytes);
  }

  /** The most that these bytes were, since the texts began: before what waits is taken in, or before an update. */
  get largestStateBytes(): number {
    return this.#withTimes(this.#memory.largestBytes);
  }

  /** Bytes of keys and values alone, as allocated. */
  get keyValueBytes(): number {
    return this.#memory.keyValueBytes;
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
    const saved = await this.#memory.saved();
    return saved ? { ...saved, ...this.#times.saved } : emptyHostState(this.batch);
  }

  /** Goes on from a memory on the host. */
  restore(state: HostState): void {
    this.reset();
    if (state.layers.length === 0) return;
    const { due, ...memory } = state;
    const seen = memory.seen.data[0]!;
    const padding = Array.from(memory.position.data, (position) => seen - position);
    this.#times = UpdateTimes.restored(this.schedule, padding, due);
    this.#memory.restore(memory);
    this.#seen = seen;
    this.#padding = padding;
  }

  /** Forgets everything. */
  reset(): void {
    this.#memory.reset();
    this.#seen = 0;
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
    if (!this.#memory.isEmpty) {
      const state = await this.state();
      copy.restore(rows ? rowsOfState(state, rows) : state);
    }
    return copy;
  }

  /**
   * The same texts, read on by other graphs of the model; what the policy carried is let go of, and so are these.
   * @param graphs of a policy that begins with what is in the cache
   */
  async handOn(graphs: ManagedGraphs): Promise<ManagedTexts> {
    const next = new ManagedTexts(graphs, this.schedule, this.batch);
    await this.#memory.handOn(next.#memory);
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
    this.#parameters ??= graphs.parametersOf(policy);
    const parameters = this.#parameters;
    const tokensSeen = this.#padding.map((padding) => Math.max(0, this.#seen - padding));
    const { extents, reportsCarried } = this.options;
    const { layers } = await this.#memory.update((state) =>
      updatedMemory(graphs, { state, parameters, retention, tokensSeen, due, extents, reportsCarried }),
    );
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
      const left = updateAfter(this.#seen) - this.#seen;
      yield count === 1 && !this.#memory.isEmpty && !seenPart
        ? await this.#memory.readOne(part, left, all)
        : await this.#memory.readMany(part, seenPart, all);
      this.#seen += count;
      const waits = lastUpdate === 'later' && from + count === time;
      if (updates && !waits) await this.update();
    }
  }

  #withTimes(bytes: number): number {
    return bytes === 0 ? 0 : bytes + treeBytes(this.#times.saved);
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
