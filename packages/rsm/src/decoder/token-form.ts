import type { DeviceArray, ToDevice, ToHost, ToInput } from '@palimpsest/tensor-core';
import type { BlockState } from '../state.js';
import type { OpenSlots } from './graph.js';

/** What every block will write, once the chunk is full. */
export type Pools = readonly Pick<BlockState, 'pool'>[];

/**
 * How the tokens of a chunk are read while its memory is only read. The form holds what the blocks keep of the pending chunk:
 * keys, values, pools and what a sync attends to, as the model's own state has them after every token.
 */
export interface TokenForm {
  /** What the blocks keep, as it is; on the engine, or copies on the host. */
  blocks(): ToDevice<readonly BlockState[]> | ToHost<readonly BlockState[]>;
  /** Takes over what the blocks keep, in place of what the form holds. */
  setBlocks(blocks: ToInput<readonly BlockState[]>): Promise<void>;
  /** Takes over pools of an empty chunk. */
  setPools(pools: ToDevice<Pools>): Promise<void>;
  /** Takes over the slots that the tokens of the chunk read. */
  open(slots: ToDevice<readonly OpenSlots[]>): Promise<void>;
  /** @param position place of the token in its chunk @returns [vocabSize] */
  next(token: number, position: number): Promise<Float32Array>;
  /** A form of its own that shares what is compiled or packed, and holds nothing yet. */
  fork(): TokenForm;
  dispose(): Promise<void>;
}

/** The numbers of an array, which is given back. */
export async function take(array: DeviceArray): Promise<Float32Array> {
  const values = (await array.data()) as Float32Array;
  array.dispose();
  return values;
}
