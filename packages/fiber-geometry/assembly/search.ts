// Searches of a hierarchical navigable small-world graph (Malkov and Yashunin 2016, algorithms 2 and 5).

import { keyAt, push, replaceTop, slotAt, sortHeap } from './heaps';
import {
  candidates,
  countOf,
  ENTRIES,
  entry,
  found,
  listAt,
  neighbourAt,
  nextStamp,
  rowAt,
  rowBytes,
  starts,
  topLayer,
  vector,
  visited,
} from './storage';
import { dot } from './vectors';

/**
 * The `ef` slots found closest to the vector, best first, as entries at `found`, their keys the similarities with the sign turned.
 * @returns how many there are
 */
export function search(ef: i32): i32 {
  if (entry < 0) return 0;
  return collect(startsAbove(0), ef, 0);
}

/** Where a search of a layer starts: the closest slots found in the one above it, put at `starts`. */
export function startsAbove(layer: i32): i32 {
  store<i32>(starts, descend(layer + 1));
  return layer >= topLayer ? 1 : startsFrom(collect(1, ENTRIES, layer + 1));
}

/** Takes the best of what was found for the starts of the next layer. */
export function startsFrom(count: i32): i32 {
  const taken = min(count, ENTRIES);
  for (let i = 0; i < taken; i++) store<i32>(starts + ((<usize>i) << 2), slotAt(found, i));
  return taken;
}

/** Walks greedily from the top down to just above `layer`. */
function descend(layer: i32): i32 {
  let best = entry;
  let similarity = dot(rowAt(best), vector, rowBytes);
  for (let at = topLayer; at > layer; at--) {
    for (let moved = true; moved; ) {
      moved = false;
      const list = listAt(best, at);
      for (let i = 0, count = countOf(list); i < count; i++) {
        const neighbour = neighbourAt(list, i);
        const value = dot(rowAt(neighbour), vector, rowBytes);
        if (value <= similarity) continue;
        similarity = value;
        best = neighbour;
        moved = true;
      }
    }
  }
  return best;
}

/** Best-first search in one layer from the first of `starts`; the `ef` best, sorted, are at `found`. */
export function collect(startCount: i32, ef: i32, layer: i32): i32 {
  const stamp = nextStamp();
  let open = 0;
  let held = 0;
  for (let i = 0; i < startCount; i++) {
    const start = load<i32>(starts + ((<usize>i) << 2));
    const similarity = dot(rowAt(start), vector, rowBytes);
    push(candidates, open++, similarity, start);
    if (held < ef) push(found, held++, -similarity, start);
    else if (similarity > -keyAt(found, 0)) replaceTop(found, held, -similarity, start);
    store<u16>(visited + ((<usize>start) << 1), <u16>stamp);
  }
  while (open > 0) {
    if (held >= ef && keyAt(candidates, 0) < -keyAt(found, 0)) break;
    const list = listAt(slotAt(candidates, 0), layer);
    open -= 1;
    if (open > 0) replaceTop(candidates, open, keyAt(candidates, open), slotAt(candidates, open));
    for (let i = 0, count = countOf(list); i < count; i++) {
      const neighbour = neighbourAt(list, i);
      const mark = visited + ((<usize>neighbour) << 1);
      if (<i32>load<u16>(mark) === stamp) continue;
      store<u16>(mark, <u16>stamp);
      const value = dot(rowAt(neighbour), vector, rowBytes);
      if (held < ef) push(found, held++, -value, neighbour);
      else if (value > -keyAt(found, 0)) replaceTop(found, held, -value, neighbour);
      else continue;
      push(candidates, open++, value, neighbour);
    }
  }
  sortHeap(found, held);
  return held;
}
