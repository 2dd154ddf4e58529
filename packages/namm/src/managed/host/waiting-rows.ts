import type { HostLayer } from '@palimpsest/backbone';
import { type HeadScores, type Place, TILE } from '@palimpsest/base';
import { treeBytes } from '@palimpsest/lm';
import { disposeTree, type NDArray, ndarray, type ToDevice, toHost } from '@palimpsest/tensor-core';
import type { PolicyState } from '../../policy/policy.js';
import { FirstColumns } from './first-columns.js';
import type { HostReader } from './host-reader.js';
import type { TextWatch } from './text-watch.js';

type Carried = readonly (ToDevice<PolicyState> | undefined)[];

/** Attention and queries of tokens that wait, until there are enough for the policy's graph to be worth a call. */
export class WaitingRows implements TextWatch {
  readonly #group: number;
  readonly #firsts: FirstColumns;
  readonly #most: number;
  /** Rows `[heads, most, slots of all managed layers]`. */
  readonly #rows: { readonly place: Place; readonly width: number };
  /** Where each layer's slots are in the first row, as kernels read it. */
  readonly #tiles: { readonly place: Place; readonly count: number; readonly starts: readonly number[] };
  /** Queries `[query heads, most, managed layers · headWidth]`. */
  readonly #queries: Float32Array;
  #count = 0;
  #carried: Carried;

  constructor(
    private readonly reader: HostReader,
    private readonly layers: readonly HostLayer[],
    carried: Carried,
  ) {
    const { policy, model, functions } = reader.graphs;
    const { heads, keyValueHeads, headWidth } = model.options;
    this.#group = heads / keyValueHeads;
    this.#most = policy.hopLength ?? 16;
    this.#carried = carried;
    this.#firsts = new FirstColumns(reader.form.kernels, reader.pool, layers);
    const widths = layers.map(({ slots }, layer) =>
      functions.manages(layer) && policy.needs.rows !== 0 ? slots : 0,
    );
    const width = widths.reduce((sum, slots) => sum + slots, 0);
    const count = keyValueHeads * this.#most * width;
    const place = reader.pool.take(count);
    reader.form.kernels.numbers.fill(0, place, place + count);
    this.#rows = { place, width };
    this.#tiles = this.#tilesOf(widths);
    const queried = policy.needs.queries ? functions.managed.length * headWidth : 0;
    this.#queries = new Float32Array(heads * this.#most * queried);
  }

  get bytes(): number {
    return treeBytes(this.#carried) + 4 * this.#rowNumbers + this.#queries.byteLength;
  }

  queries(layer: number, place: Place): void {
    const { functions, model } = this.reader.graphs;
    const index = functions.managed.indexOf(layer);
    if (this.#queries.length === 0 || index < 0) return;
    const { heads, headWidth } = model.options;
    const width = functions.managed.length * headWidth;
    for (let head = 0; head < heads; head++) {
      const own = this.reader.form.kernels.view(place + head * headWidth, headWidth);
      this.#queries.set(own, (head * this.#most + this.#count) * width + index * headWidth);
    }
  }

  attention(layer: number, given: HeadScores): void {
    const { width } = this.#rows;
    const { functions, model } = this.reader.graphs;
    if (width === 0 || !functions.manages(layer)) return;
    const lines = {
      tiles: this.#tiles.place + this.#tiles.starts[layer]!,
      line: this.#count * width,
      headStride: this.#most * width,
      firsts: this.#firsts.of(layer),
      end: this.layers[layer]!.end,
      heads: model.options.keyValueHeads,
      group: this.#group,
    };
    this.reader.form.kernels.spectra.receive(lines, given);
  }

  async advance(position: number): Promise<void> {
    this.#count += 1;
    if (this.#count === this.#most) await this.#absorb(position);
  }

  async policies(position: number): Promise<(PolicyState<NDArray> | undefined)[]> {
    if (this.#count > 0) await this.#absorb(position);
    const states: (PolicyState<NDArray> | undefined)[] = [];
    for (const [layer, state] of this.#carried.entries()) {
      states.push(state && untilEnd(await toHost(state), this.layers[layer]!.end));
    }
    return states;
  }

  dispose(): void {
    this.reader.pool.give(this.#rows.place, this.#rowNumbers);
    this.reader.pool.give(this.#tiles.place, this.#tiles.count);
    this.#firsts.dispose();
    disposeTree(this.#carried);
    this.#carried = [];
  }

  get #rowNumbers(): number {
    return this.reader.graphs.model.options.keyValueHeads * this.#most * this.#rows.width;
  }

  #tilesOf(widths: readonly number[]): { place: Place; count: number; starts: number[] } {
    const [tiles, starts]: [Place[], number[]] = [[], []];
    let start = this.#rows.place;
    for (const width of widths) {
      starts.push(tiles.length);
      for (let at = 0; at < width; at += TILE) tiles.push(start + at);
      start += width;
    }
    const count = 4 * Math.ceil(tiles.length / 4);
    const place = this.reader.pool.take(count);
    this.reader.form.kernels.putAddresses(place, tiles);
    return { place, count, starts };
  }

  /** Hands what waits to the policy's graph. */
  async #absorb(position: number): Promise<void> {
    const { graphs, form } = this.reader;
    const { heads, keyValueHeads } = graphs.model.options;
    const { place, width } = this.#rows;
    const rows = form.kernels.view(place, this.#rowNumbers);
    const waiting = {
      ...(width > 0 && { rows: this.#newest(rows, keyValueHeads) }),
      ...(this.#queries.length > 0 && { queries: this.#newest(this.#queries, heads) }),
    };
    const next = await graphs.absorb({
      carried: this.#carried.map((state) => (state ? { state } : {})),
      // Without either, every token is counted by an entry of its own.
      waiting: Object.keys(waiting).length > 0 ? [waiting] : Array.from({ length: this.#count }, () => ({})),
      position: ndarray(Int32Array.of(position), [1], 'int32'),
      slots: this.layers.map(({ slots }) => ndarray(new Int32Array(slots), [1, 1, slots], 'int32')),
    });
    disposeTree(this.#carried);
    this.#carried = next.map(({ state }) => state);
    this.#count = 0;
  }

  /** The rows that wait, of `[heads, most, width]`: `[1, heads, count, width]`. */
  #newest(all: Float32Array, heads: number): NDArray<'float32'> {
    const width = all.length / (heads * this.#most);
    const data = new Float32Array(heads * this.#count * width);
    for (let head = 0; head < heads; head++) {
      const from = head * this.#most * width;
      data.set(all.subarray(from, from + this.#count * width), head * this.#count * width);
    }
    return ndarray(data, [1, heads, this.#count, width]);
  }
}

/** What is carried about the slots before `end`; nothing is known of those that came later. */
function untilEnd(state: PolicyState<NDArray>, end: number): PolicyState<NDArray> {
  const fitted = Object.entries(state.tokens).map(([name, { data, shape }]) => {
    const [batch, heads, lines, slots] = shape as [number, number, number, number];
    const kept = new Float32Array(batch * heads * lines * end);
    for (let line = 0; line < batch * heads * lines; line++) {
      kept.set(data.subarray(line * slots, line * slots + Math.min(slots, end)), line * end);
    }
    return [name, ndarray(kept, [batch, heads, lines, end])] as const;
  });
  return { ...state, tokens: Object.fromEntries(fitted) };
}
