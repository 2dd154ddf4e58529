import { allocate, type NDArray, treeMap } from '@palimpsest/tensor-core';
import type { HostState } from '../../managed/state.js';

/** Texts again and again: row i of the result is row i mod batch. */
export function repeatState(state: HostState, times: number): HostState {
  return treeMap<NDArray, NDArray>(state, (array) => repeated(array, times)) as HostState;
}

function repeated(array: NDArray, times: number): NDArray {
  const data = allocate(array.dtype, array.data.length * times);
  for (let i = 0; i < times; i++) data.set(array.data, i * array.data.length);
  return { ...array, data, shape: [array.shape[0]! * times, ...array.shape.slice(1)] };
}
