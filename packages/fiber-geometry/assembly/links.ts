// The links of a new slot (Malkov and Yashunin 2016, algorithms 1 and 4), with a tree of links that no cut drops.

import { insert, keyAt, setEntry, slotAt } from './entries';
import { collect, productsAt, startsAbove, startsFrom } from './search';
import {
  countNamed,
  countOf,
  degree,
  entry,
  found,
  fresh,
  keptOf,
  listAt,
  namedOf,
  neighbourAt,
  neighboursOf,
  pool,
  products,
  ranked,
  reserve,
  rowAt,
  setCounts,
  setEntrance,
  setNeighbour,
  take,
  topLayer,
} from './storage';

/** Lists that name a slot before a cut may drop it, as long as the list has another one to drop. */
const LEAST_NAMED: i32 = 8;

/**
 * Adds the vector as a slot and links it.
 * @returns the slot, or -1 where there is no memory for it
 */
export function add(level: i32, efConstruction: i32): i32 {
  if (!reserve(level)) return -1;
  const slot = take();
  if (entry < 0) {
    setEntrance(slot, level);
    return slot;
  }
  let near = startsAbove(level);
  for (let layer = min(level, topLayer); layer >= 0; layer--) {
    const count = collect(near, efConstruction, layer);
    near = startsFrom(count);
    link(slot, layer, count);
  }
  if (level > topLayer) setEntrance(slot, level);
  return slot;
}

/**
 * Adds the vector as a slot whose lists are empty, for links that are known.
 * @returns the slot, or -1 where there is no memory for it
 */
export function place(level: i32): i32 {
  if (!reserve(level)) return -1;
  const slot = take();
  if (level > topLayer) setEntrance(slot, level);
  return slot;
}

/** Neighbours that a list of the layer can have. */
export function mostOf(layer: i32): i32 {
  return layer === 0 ? 2 * degree : degree;
}

/** Links a new slot with some of what was found, and those with it; one of the links is kept in both directions. */
function link(slot: i32, layer: i32, count: i32): void {
  const parent = parentOf(layer, count);
  const kept = parent < 0 ? 0 : 1;
  if (kept) append(0, parent);
  const own = rank(found, count, kept, degree, parent);
  const list = listAt(slot, layer);
  setCounts(list, own, kept);
  for (let i = 0; i < own; i++) setNeighbour(list, i, rankedAt(i));
  for (let i = 0; i < own; i++) {
    const neighbour = neighbourAt(list, i);
    countNamed(listAt(neighbour, layer), 1);
    linkBack(neighbour, slot, layer, i < kept);
  }
}

/** The nearest slot of those found whose list has room for another kept link; one with much room if there is one. */
function parentOf(layer: i32, count: i32): i32 {
  const most = mostOf(layer);
  let other = -1;
  for (let i = 0; i < count; i++) {
    const slot = slotAt(found, i);
    const kept = keptOf(listAt(slot, layer));
    if (kept < most >> 1) return slot;
    if (other < 0 && kept < most) other = slot;
  }
  return other;
}

function linkBack(slot: i32, neighbour: i32, layer: i32, isKept: bool): void {
  const list = listAt(slot, layer);
  const count = countOf(list);
  const kept = keptOf(list);
  countNamed(listAt(neighbour, layer), 1);
  if (count === mostOf(layer)) {
    cut(slot, neighbour, layer, isKept);
  } else if (isKept) {
    if (kept < count) setNeighbour(list, count, neighbourAt(list, kept));
    setNeighbour(list, kept, neighbour);
    setCounts(list, count + 1, kept + 1);
  } else {
    setNeighbour(list, count, neighbour);
    setCounts(list, count + 1, kept);
  }
}

/**
 * Adds a neighbour to a full list and drops a quarter of it, so that the next ones find room: what lies in the direction of
 * others first, and what few lists name last.
 */
function cut(slot: i32, neighbour: i32, layer: i32, isKept: bool): void {
  const list = listAt(slot, layer);
  const most = countOf(list);
  const row = rowAt(slot);
  let kept = keptOf(list);
  let pooled = most - kept;
  memory.copy(fresh, neighboursOf(list) + ((<usize>kept) << 2), (<usize>pooled) << 2);
  for (let i = 0; i < kept; i++) append(i, neighbourAt(list, i));
  if (isKept) append(kept++, neighbour);
  else {
    store<i32>(fresh + ((<usize>pooled) << 2), neighbour);
    pooled += 1;
  }
  intoPool(row, pooled);
  const all = rank(pool, pooled, kept, kept + pooled, -1);
  let left = all;
  for (let i = all - 1; i >= kept && left > most - (most >> 2); i--) {
    if (namedOf(listAt(rankedAt(i), layer)) > LEAST_NAMED) left = drop(i, layer, left);
  }
  if (left > most) left = drop(all - 1, layer, left);
  setCounts(list, left, kept);
  let at = 0;
  for (let i = 0; i < all; i++) if (rankedAt(i) >= 0) setNeighbour(list, at++, rankedAt(i));
}

function drop(place: i32, layer: i32, left: i32): i32 {
  countNamed(listAt(rankedAt(place), layer), -1);
  setRanked(place, -1);
  return left - 1;
}

/** Sorts slots of `fresh` into the pool by falling similarity with a row. */
function intoPool(row: usize, count: i32): void {
  v128.store(fresh + ((<usize>count) << 2), i32x4.splat(0));
  for (let i = 0; i < count; i++) {
    const at = fresh + ((<usize>i) << 2);
    if ((i & 3) === 0) v128.store(products, productsAt(at, row));
    insert(pool, i, load<f32>(products + ((<usize>(i & 3)) << 2)), load<i32>(at));
  }
}

/**
 * Continues the `given` first slots of `ranked` up to `most`: of the entries, which come best first, those that are closer to the
 * list's own row than to every slot before them, then the closest of the rest.
 * @param skipped a slot that is passed by
 * @returns the length of `ranked`
 */
function rank(entries: usize, count: i32, given: i32, most: i32, skipped: i32): i32 {
  let size = given;
  let passedOver = 0;
  for (let i = 0; i < count && size < most; i++) {
    const slot = slotAt(entries, i);
    if (slot === skipped) continue;
    const key = keyAt(entries, i);
    if (isDiverse(slot, key, size)) append(size++, slot);
    else setEntry(entries, passedOver++, key, slot);
  }
  for (let i = 0; i < passedOver && size < most; i++) append(size++, slotAt(entries, i));
  return size;
}

function isDiverse(slot: i32, similarity: f32, chosen: i32): bool {
  const row = rowAt(slot);
  const least = f32x4.splat(similarity);
  for (let i = 0; i < chosen; i += 4) {
    if (v128.any_true(f32x4.ge(productsAt(ranked + ((<usize>i) << 2), row), least))) return false;
  }
  return true;
}

function rankedAt(place: i32): i32 {
  return load<i32>(ranked + ((<usize>place) << 2));
}

/** Sets a slot behind which nothing counts, and behind it as often as four together need. */
function append(place: i32, slot: i32): void {
  v128.store(ranked + ((<usize>place) << 2), i32x4.splat(slot));
}

function setRanked(place: i32, slot: i32): void {
  store<i32>(ranked + ((<usize>place) << 2), slot);
}
