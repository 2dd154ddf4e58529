import { disposeTree, type NDArray, type ToDevice, toHost } from '@palimpsest/tensor-core';
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
  readonly extents?: ((kept: readonly number[]) => readonly number[]) | undefined;
  readonly reportsCarried?: boolean | undefined;
}

/** Scores what managed layers hold, decides what stays, and gathers it into arrays of its own size. */
export async function updatedMemory(
  graphs: ManagedGraphs,
  { state, parameters, retention, tokensSeen, extents = extentsAfter, reportsCarried = false }: UpdateInput,
): Promise<{ readonly state: DeviceState; readonly layers: UpdateReport['layers'] }> {
  const scored = await graphs.score(state, parameters);
  const layers: UpdateReport['layers'][number][] = [];
  for (const [index, layer] of graphs.managed.entries()) {
    const scores = await scored.scores[index]!.toHost();
    const positions = await state.layers[layer]!.positions.toHost();
    const { kept, lengths, passing } = retain(retention, {
      scores,
      valid: validityOf(positions),
      tokensSeen,
    });
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
