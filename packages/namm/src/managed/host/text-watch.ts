import type { HostLayer, TokenWatch } from '@palimpsest/backbone';
import type { HeadScores } from '@palimpsest/base';
import { disposeTree, type NDArray, type ToDevice, toHost } from '@palimpsest/tensor-core';
import type { ObservedLayer } from '../../policy/host-observer.js';
import type { PolicyState } from '../../policy/policy.js';
import { FirstColumns } from './first-columns.js';
import type { HostReader } from './host-reader.js';
import { WaitingRows } from './waiting-rows.js';

type DevicePolicy = ToDevice<PolicyState> | undefined;

/** What the policy sees of single tokens, and carries. */
export interface TextWatch extends TokenWatch {
  /** A token was read; the next one stands at a position. */
  advance(position: number): Promise<void>;
  /** What is carried about every layer, about the slots up to its newest entry. */
  policies(position: number): Promise<(PolicyState<NDArray> | undefined)[]>;
  readonly bytes: number;
  dispose(): void;
}

/** Where a layer's entries stand. */
export type LayerShape = Pick<HostLayer, 'first' | 'end' | 'slots'>;

/**
 * @param positions int32 `[1, heads, slots]`
 * @param room for so many tokens
 * @returns nothing where the entries of a head do not stand side by side, or heads end at different places
 */
export function entriesOf({ data, shape }: NDArray, room: number): LayerShape | undefined {
  const [, heads, taken] = shape as [number, number, number];
  const rows = Array.from({ length: heads }, (_, head) => data.subarray(head * taken, (head + 1) * taken));
  const ends = rows.map((row) => row.findLastIndex((position: number) => position >= 0) + 1);
  const end = Math.max(...ends);
  const first = Int32Array.from(rows, (row) => {
    const index = row.findIndex((position: number) => position >= 0);
    return index < 0 ? end : index;
  });
  const isGap = (position: number) => position < 0;
  const fits = rows.every(
    (row, head) => (ends[head] === end || ends[head] === 0) && !row.subarray(first[head], end).some(isGap),
  );
  return fits ? { first, end, slots: Math.ceil((end + room) / 4) * 4 } : undefined;
}

/** Whoever watches a text's tokens, from what was carried about its layers. */
export async function watchOf(
  reader: HostReader,
  layers: readonly HostLayer[],
  carried: readonly DevicePolicy[],
): Promise<TextWatch> {
  const { observer, graphs } = reader;
  if (!graphs.policy.observe) {
    return { advance: async () => {}, policies: async () => [], bytes: 0, dispose: () => {} };
  }
  if (!observer) return new WaitingRows(reader, layers, carried);
  const states: (PolicyState<NDArray> | undefined)[] = [];
  for (const state of carried) states.push(state && (await toHost(state)));
  disposeTree(carried);
  return new Observed(reader, layers, states);
}

/** A policy that observes on the processor. */
class Observed implements TextWatch {
  readonly #heads: number;
  readonly #group: number;
  readonly #firsts: FirstColumns;
  /** Absent for layers that nobody looks after. */
  readonly #observed: readonly (ObservedLayer | undefined)[];

  constructor(
    private readonly reader: HostReader,
    private readonly layers: readonly HostLayer[],
    states: readonly (PolicyState<NDArray> | undefined)[],
  ) {
    const { graphs, pool, observer, form } = reader;
    const { heads, keyValueHeads } = graphs.model.options;
    this.#heads = keyValueHeads;
    this.#group = heads / keyValueHeads;
    this.#firsts = new FirstColumns(form.kernels, pool, layers);
    this.#observed = layers.map(({ slots, first, end }, layer) => {
      if (!graphs.functions.manages(layer)) return undefined;
      return observer!.open(pool, { heads: keyValueHeads, columns: slots, first, end }, states[layer]);
    });
  }

  get bytes(): number {
    return this.#observed.reduce((sum, observed) => sum + (observed?.bytes ?? 0), 0);
  }

  attention(layer: number, given: HeadScores): void {
    const observed = this.#observed[layer];
    if (!observed) return;
    const lines = {
      tiles: observed.tiles,
      line: observed.line,
      headStride: observed.headStride,
      firsts: this.#firsts.of(layer),
      end: this.layers[layer]!.end,
      heads: this.#heads,
      group: this.#group,
    };
    this.reader.form.kernels.spectra.receive(lines, given);
  }

  async advance(): Promise<void> {
    for (const [layer, observed] of this.#observed.entries()) observed?.advance(this.layers[layer]!.end);
  }

  async policies(): Promise<(PolicyState<NDArray> | undefined)[]> {
    return this.#observed.map((observed, layer) => observed?.state(this.layers[layer]!.end));
  }

  dispose(): void {
    for (const observed of this.#observed) observed?.dispose();
    this.#firsts.dispose();
  }
}
