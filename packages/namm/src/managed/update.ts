import { disposeTree, type NDArray, type ToDevice, toHost } from '@palimpsest/tensor-core';
import { keepingOthers } from '../eviction/select.js';
import { type Retention, retain } from '../policy/retention.js';
import { extentsAfter } from './extents.js';
import type { LayerParameters } from './functions.js';
import type { ManagedGraphs } from './graphs.js';
import { rightAligned, validityOf } from './host-arrays.js';
import type { ManagedState } from './state.js';

type DeviceState = ToDevice<ManagedState>;

/** What an update left, for whoever watches. */
export interface UpdateReport {
  /** Tokens read when it ran. */
  readonly seen: number;
  /** Which texts it was for, where updates are adaptive; the others kept everything. */
  readonly due?: readonly boolean[];
  readonly layers: readonly {
    readonly layer: number;
    /** float32 `[batch, heads, slots]` */
    readonly scores: NDArray;
    /** int32 `[batch, heads, slots]`, -1 for none */
    readonly positions: NDArray;
    /** int32 `[batch, heads, most]`: slots that stay, right-aligned, -1 for none */
    readonly kept: NDArray<'int32'>;
    /** int32 `[batch, heads]` */
    readonly lengths: NDArray<'int32'>;
    readonly passing: NDArray<'int32'>;
    /** What the policy carried about the slots before the update, `[batch, heads, width, slots]` each, when it was asked for. */
    readonly carried?: Readonly<Record<string, NDArray>> | undefined;
  }[];
}

/** What an update goes by. */
export interface UpdateInput {
  /** Its arrays end with the newest entry, and are the update's to dispose of. */
  readonly state: DeviceState;
  readonly parameters: ToDevice<LayerParameters>;
  readonly retention: Exclude<Retention, { kind: 'everything' }>;
  /** Of each text, padding left out. */
  readonly tokensSeen: readonly number[];
  /** Which texts are looked through; the others keep everything. Default: all. */
  readonly due?: readonly boolean[] | undefined;
  readonly extents?: ((kept: readonly number[]) => readonly number[]) | undefined;
  readonly reportsCarried?: boolean | undefined;
}

/** Scores what managed layers hold, decides what stays, and gathers it into arrays of its own size. */
export async function updatedMemory(
  graphs: ManagedGraphs,
  {
    state,
    parameters,
    retention,
    tokensSeen,
    due,
    extents = extentsAfter,
    reportsCarried = false,
  }: UpdateInput,
): Promise<{ readonly state: DeviceState; readonly layers: UpdateReport['layers'] }> {
  const scored = await graphs.score(state, parameters);
  const layers: UpdateReport['layers'][number][] = [];
  for (const [index, layer] of graphs.managed.entries()) {
    const scores = await scored.scores[index]!.toHost();
    const positions = await state.layers[layer]!.positions.toHost();
    const valid = validityOf(positions);
    const decided = retain(retention, { scores, valid, tokensSeen });
    const { kept, lengths, passing } = due ? keepingOthers(decided, due, valid) : decided;
    const own = reportsCarried ? state.layers[layer]!.policy?.tokens : undefined;
    const carried = own && (await toHost(own));
    layers.push({ layer, scores, positions, kept, lengths, passing, carried });
  }
  const sizes = extents(layers.map(({ kept }) => kept.shape[2]!));
  const slots = layers.map(({ kept }, index) => rightAligned(kept, sizes[index]!));
  const gathered = await graphs.gather({ state, policies: scored.policies, slots });
  disposeTree(scored);
  return { state: gathered, layers };
}

/** Entries that an update left of each text, in the longest head of any layer. */
export function longestKept(layers: UpdateReport['layers']): number[] {
  const batch = layers[0]!.lengths.shape[0]!;
  return Array.from({ length: batch }, (_, text) =>
    Math.max(
      ...layers.flatMap(({ lengths: { data, shape } }) => [
        ...data.subarray(text * shape[1]!, (text + 1) * shape[1]!),
      ]),
    ),
  );
}
