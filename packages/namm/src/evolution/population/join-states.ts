import { allocate, type NDArray, ndarray, sizeOf } from '@palimpsest/tensor-core';
import type { HostState, ManagedLayer } from '../../managed/state.js';
import type { PolicyState } from '../../policy/policy.js';

type HostPolicy = PolicyState<NDArray>;

/**
 * Texts of several batches as one batch, in the order given. All have read equally many tokens and end with their newest entry.
 * @param slots of every layer, at least those of any batch; what is missing stands empty before the oldest entry
 */
export function joinStates(states: readonly HostState[], slots: number): HostState {
  const first = states[0]!;
  const layers = first.layers.map((_, layer) =>
    joinLayers(
      states.map((state) => state.layers[layer]!),
      slots,
    ),
  );
  return {
    position: stacked(states.map(({ position }) => position)),
    seen: stacked(states.map(({ seen }) => seen)),
    layers,
  };
}

function joinLayers(layers: readonly ManagedLayer<NDArray>[], slots: number): ManagedLayer<NDArray> {
  const part = (name: 'keys' | 'values' | 'positions', empty: number) =>
    stacked(layers.map((layer) => widened(layer[name], 2, slots, empty)));
  const policies = layers.flatMap(({ policy }) => (policy ? [policy] : []));
  const cache = { keys: part('keys', 0), values: part('values', 0), positions: part('positions', -1) };
  return policies.length > 0 ? { ...cache, policy: joinPolicies(policies, slots) } : cache;
}

function joinPolicies(policies: readonly HostPolicy[], slots: number): HostPolicy {
  const [first] = policies as [HostPolicy, ...HostPolicy[]];
  const join = (kind: 'tokens' | 'text', fit: (array: NDArray) => NDArray) =>
    Object.fromEntries(
      Object.keys(first[kind] ?? {}).map((name) => [
        name,
        stacked(policies.map((policy) => fit(policy[kind]![name]!))),
      ]),
    );
  const tokens = join('tokens', (array) => widened(array, 3, slots, 0));
  return first.text ? { tokens, text: join('text', (array) => array) } : { tokens };
}

/** More places at the beginning of an axis. */
function widened(array: NDArray, axis: number, extent: number, empty: number): NDArray {
  const { data, shape, dtype } = array;
  const before = shape[axis]!;
  if (before === extent) return array;
  const width = sizeOf(shape.slice(axis + 1));
  const lists = sizeOf(shape.slice(0, axis));
  const wide = allocate(dtype, lists * extent * width);
  wide.fill(empty);
  for (let list = 0; list < lists; list++) {
    const own = data.subarray(list * before * width, (list + 1) * before * width);
    wide.set(own, ((list + 1) * extent - before) * width);
  }
  return ndarray(wide, [...shape.slice(0, axis), extent, ...shape.slice(axis + 1)], dtype);
}

/** Arrays of the same shape but for their rows, one below the other. */
function stacked(arrays: readonly NDArray[]): NDArray {
  const [first] = arrays as [NDArray, ...NDArray[]];
  if (arrays.length === 1) return first;
  const data = allocate(
    first.dtype,
    arrays.reduce((sum, array) => sum + array.data.length, 0),
  );
  let at = 0;
  let rows = 0;
  for (const array of arrays) {
    data.set(array.data, at);
    at += array.data.length;
    rows += array.shape[0]!;
  }
  return ndarray(data, [rows, ...first.shape.slice(1)], first.dtype);
}
