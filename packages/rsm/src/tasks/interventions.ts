import { type NDArray, ndarray } from '@palimpsest/tensor-core';
import type { HostState, Intervention } from './memory-stream.js';

const withMemory = (state: HostState, memory: NDArray): HostState => ({ ...state, memory });

/** What can be done to a memory to see what it is worth; each is applied between chunks. */
export const interventions = {
  /** Nothing. */
  intact: (state) => state,
  /** The memory stays what it was before the first token. */
  frozen: (state, initial) => withMemory(state, initial.memory),
  /** The memory holds zeros. */
  emptied: (state) =>
    withMemory(state, ndarray(new Float32Array(state.memory.data.length), state.memory.shape)),
  /** Every text gets the memory of its neighbour in the batch. */
  swapped: (state) => {
    const { data, shape } = state.memory;
    const row = data.length / shape[0]!;
    const rolled = new Float32Array(data.length);
    rolled.set(data.subarray(row), 0);
    rolled.set(data.subarray(0, row), data.length - row);
    return withMemory(state, ndarray(rolled, shape));
  },
} as const satisfies Record<string, Intervention>;
