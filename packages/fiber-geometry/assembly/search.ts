// Searches of a hierarchical navigable small-world graph (Malkov and Yashunin 2016, algorithms 2 and 5).

import { insert, keyAt, open, reopen, setEntry, slotAt, UNOPENED } from './entries';
import {
  countOf,
  ENTRIES,
  entry,
  found,
  fresh,
  listAt,
  neighboursOf,
  nextStamp,
  products,
  rowAt,
  rowBytes,
  starts,
  topLayer,
  vector,
  visited,
} from './storage';
import { dot, Four } from './vectors';

/**
 * The `ef` slots found closest to the vector, best first, as entries at `found`.
 * @returns how many there are
 */
export function search(ef: i32): i32 {
  if (entry < 0) return 0;
  return collect(startsAbove(0), ef, 0);
}

/** Where a search of a layer starts: the closest slots found in the one above it, put at `starts`. */
export function startsAbove(layer: i32): i32 {
  descend(layer + 1);
  return layer >= topLayer ? 1 : startsFrom(collect(1, ENTRIES, layer + 1));
}

/** Takes the best of what was found for the starts of the next layer. */
export function startsFrom(count: i32): i32 {
  const taken = min(count, ENTRIES);
  reopen(found, starts, taken);
  return taken;
}

/** Walks greedily from the top down to just above `layer`; the slot where it ends is put at `starts`. */
function descend(layer: i32): void {
  let best = entry;
  let similarity = dot(rowAt(best), vector, rowBytes);
  for (let at = topLayer; at > layer; at--) {
    for (let moved = true; moved; ) {
      moved = false;
      const list = listAt(best, at);
      let slots = neighboursOf(list);
      for (let left = countOf(list); left > 0; left -= 4, slots += 16) {
        let near = nearerThan(similarity, slots, left);
        for (; near; near &= near - 1) {
          const lane = (<usize>ctz(near)) << 2;
          const value = load<f32>(products + lane);
          if (value <= similarity) continue;
          similarity = value;
          best = load<i32>(slots + lane);
          moved = true;
        }
      }
    }
  }
  setEntry(found, 0, similarity, best);
  reopen(found, starts, 1);
}

/** Best-first search in one layer from the first entries of `starts`; the `ef` best are at `found`, the best one first. */
export function collect(startCount: i32, ef: i32, layer: i32): i32 {
  const stamp = nextStamp();
  for (let i = 0; i < startCount; i++) {
    store<u16>(visited + ((<usize>(slotAt(starts, i) & ~UNOPENED)) << 1), <u16>stamp);
  }
  let held = min(startCount, ef);
  memory.copy(found, starts, (<usize>held) << 3);
  let least: f32 = held < ef ? -Infinity : keyAt(found, ef - 1);
  // What is no longer among the best need not be opened, so the best of what is to be opened is among them.
  for (let next = 0; next < held; ) {
    const opened = open(found, next);
    if (opened < 0) {
      next += 1;
      continue;
    }
    let slots = fresh;
    for (let left = unseen(listAt(opened, layer), stamp); left > 0; left -= 4, slots += 16) {
      let near = nearerThan(least, slots, left);
      for (; near; near &= near - 1) {
        const lane = (<usize>ctz(near)) << 2;
        const value = load<f32>(products + lane);
        if (value <= least) continue;
        if (held < ef) held += 1;
        const place = insert(found, held - 1, value, load<i32>(slots + lane) | UNOPENED);
        if (place < next) next = place;
        if (held === ef) least = keyAt(found, ef - 1);
      }
    }
  }
  return held;
}

/** Puts the neighbours of a list that the search has not seen at `fresh` and marks them. @returns how many they are */
function unseen(list: usize, stamp: i32): i32 {
  const marks = visited;
  let to = fresh;
  let at = neighboursOf(list);
  for (const end = at + ((<usize>countOf(list)) << 2); at < end; at += 4) {
    const slot = load<i32>(at);
    const mark = marks + ((<usize>slot) << 1);
    store<i32>(to, slot);
    to += (<usize>(<i32>load<u16>(mark) !== stamp)) << 2;
    store<u16>(mark, <u16>stamp);
  }
  // The last four are filled up by the first slot that there is.
  v128.store(to, i32x4.splat(0));
  return <i32>((to - fresh) >> 2);
}

/**
 * Which of the next four of `left` slots are nearer to the vector than a similarity, as bits; if any is, the similarities of all four
 * are at `products`. Where fewer are left, slots stand behind them all the same.
 */
function nearerThan(similarity: f32, slots: usize, left: i32): i32 {
  const four = productsAt(slots, vector);
  const near = i32x4.bitmask(f32x4.gt(four, f32x4.splat(similarity)));
  if (!near) return 0;
  v128.store(products, four);
  return left < 4 ? near & ((1 << left) - 1) : near;
}

/** Similarities of four slots, one behind the other at an address, with a row. */
export function productsAt(slots: usize, row: usize): v128 {
  return Four.products(
    rowAt(load<i32>(slots)),
    rowAt(load<i32>(slots, 4)),
    rowAt(load<i32>(slots, 8)),
    rowAt(load<i32>(slots, 12)),
    rowBytes,
    row,
  );
}
