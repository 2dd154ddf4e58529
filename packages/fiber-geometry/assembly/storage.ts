// Where a graph lies in linear memory, which is its own: one instance of the module holds one graph.
//
// A slot has a unit row, and a record: the address of its lists above layer 0, its level, and its list of layer 0. They lie in
// blocks, so that the memory grows without moving them; the rows of a block lie together, where those of 16 numbers fill a line
// of the cache each. A list is the number of neighbours, of those of them, the first ones, that are kept, of lists that name the
// slot, and then the neighbours, with room for a multiple of four.

const BLOCK_BITS: i32 = 8;
const UPPER: usize = 0;
const LEVEL: usize = 4;
const BASE: usize = 8;
const COUNT: usize = 0;
const KEPT: usize = 4;
const NAMED: usize = 8;
const HEAD: usize = 12;

export let degree: i32 = 0;
/** Bytes of a row, a multiple of 16. */
export let rowBytes: usize = 0;
export let size: i32 = 0;
export let entry: i32 = -1;
export let topLayer: i32 = -1;
/** The vector that is added or searched for, padded with zeros. */
export let vector: usize = 0;
/** Entries that a search of a layer starts from. */
export let starts: usize = 0;
/** Slots of a list in the order in which a cut keeps them. */
export let ranked: usize = 0;
/** Neighbours of a list that is cut, as entries with their similarities to its slot. */
export let pool: usize = 0;
/** Slots that are to be compared: neighbours that a search sees for the first time, or those of a list that is cut. */
export let fresh: usize = 0;
/** Similarities of the last four slots that were compared. */
export let products: usize = 0;
/** Entries with room for every slot: the best of what a search found. */
export let found: usize = 0;
/** Per slot the number, of 16 bits, of the last search that saw it. */
export let visited: usize = 0;

let recordBytes: usize = 0;
let upperBytes: usize = 0;
let blocks: usize = 0;
let capacity: i32 = 0;
let stamp: i32 = 0;
let top: usize = (__heap_base + 15) & ~15;

/** Slots that a search takes down from one layer to the next: one alone may lie in the wrong cluster. */
export const ENTRIES: i32 = 12;

/**
 * Room at the end of the memory, right behind the last one when its length was a multiple of 16.
 * @returns 0 where the memory cannot grow
 */
export function allocate(bytes: usize): usize {
  const at = top;
  const end = (at + bytes + 15) & ~15;
  if (end < at) return 0;
  const missing = <i64>end - ((<i64>memory.size()) << 16);
  if (missing > 0 && memory.grow(<i32>((missing + 0xffff) >> 16)) < 0) return 0;
  top = end;
  return at;
}

/** Sets what never changes; the first call of an instance. */
export function configure(dimension: i32, neighbours: i32): void {
  degree = neighbours;
  rowBytes = (<usize>dimension * 4 + 15) & ~15;
  upperBytes = HEAD + ((<usize>neighbours * 4 + 15) & ~15);
  recordBytes = BASE + HEAD + ((<usize>neighbours * 8 + 15) & ~15);
  vector = allocate(rowBytes);
  products = allocate(16);
  starts = allocate(<usize>ENTRIES * 8);
  ranked = allocate(<usize>neighbours * 8 + 32);
  fresh = allocate(<usize>neighbours * 8 + 32);
  pool = allocate(<usize>neighbours * 16 + 16);
}

/**
 * Makes room for one more slot of a level, before anything is changed.
 * @returns whether there is memory for it
 */
export function reserve(level: i32): bool {
  if (size === capacity && !grow()) return false;
  const block = size >> BLOCK_BITS;
  if ((size & ((1 << BLOCK_BITS) - 1)) === 0) {
    const at = allocate(((rowBytes + recordBytes) << BLOCK_BITS) + 48);
    if (!at) return false;
    store<usize>(blocks + ((<usize>block) << 2), (at + 63) & ~63);
  }
  const record = recordAt(size);
  memory.fill(record, 0, recordBytes);
  store<i32>(record, level, LEVEL);
  if (level > 0) {
    const bytes = <usize>level * upperBytes;
    const at = allocate(bytes);
    if (!at) return false;
    memory.fill(at, 0, bytes);
    store<usize>(record, at, UPPER);
  }
  return true;
}

/** Twice the room in everything that has a place per slot. What was there before is left to waste, less than what is there then. */
function grow(): bool {
  const more = capacity === 0 ? 256 : capacity * 2;
  const table = allocate((<usize>(more >> BLOCK_BITS)) << 2);
  const seen = allocate((<usize>more) << 1);
  const best = allocate((<usize>more + <usize>ENTRIES) << 3);
  if (!table || !seen || !best) return false;
  memory.copy(table, blocks, (<usize>(capacity >> BLOCK_BITS)) << 2);
  memory.fill(seen, 0, (<usize>more) << 1);
  stamp = 0;
  blocks = table;
  visited = seen;
  found = best;
  capacity = more;
  return true;
}

/** Counts the reserved slot in, with the vector as its row. */
export function take(): i32 {
  const slot = size;
  size = slot + 1;
  memory.copy(rowAt(slot), vector, rowBytes);
  return slot;
}

export function setEntrance(slot: i32, level: i32): void {
  entry = slot;
  topLayer = level;
}

function blockOf(slot: i32): usize {
  return load<usize>(blocks + ((<usize>(slot >> BLOCK_BITS)) << 2));
}

function placeOf(slot: i32): usize {
  return <usize>(slot & ((1 << BLOCK_BITS) - 1));
}

function recordAt(slot: i32): usize {
  return blockOf(slot) + (rowBytes << BLOCK_BITS) + placeOf(slot) * recordBytes;
}

/** Address of the unit row of a slot. */
export function rowAt(slot: i32): usize {
  return blockOf(slot) + placeOf(slot) * rowBytes;
}

/** Address of the list of a slot in a layer that it belongs to. */
export function listAt(slot: i32, layer: i32): usize {
  const record = recordAt(slot);
  if (layer === 0) return record + BASE;
  return load<usize>(record, UPPER) + <usize>(layer - 1) * upperBytes;
}

/** The highest layer of a slot. */
export function upperLevel(slot: i32): i32 {
  return load<i32>(recordAt(slot), LEVEL);
}

/** The slot that searches begin at, or -1. */
export function entrance(): i32 {
  return entry;
}

export function foundAt(): usize {
  return found;
}

export function vectorAt(): usize {
  return vector;
}

export function countOf(list: usize): i32 {
  return load<i32>(list, COUNT);
}

export function keptOf(list: usize): i32 {
  return load<i32>(list, KEPT);
}

export function setCounts(list: usize, count: i32, kept: i32): void {
  store<i32>(list, count, COUNT);
  store<i32>(list, kept, KEPT);
}

/** Lists of the layer that name a slot, given the slot's own list. */
export function namedOf(list: usize): i32 {
  return load<i32>(list, NAMED);
}

export function countNamed(list: usize, change: i32): void {
  store<i32>(list, load<i32>(list, NAMED) + change, NAMED);
}

export function neighboursOf(list: usize): usize {
  return list + HEAD;
}

export function neighbourAt(list: usize, place: i32): i32 {
  return load<i32>(list + ((<usize>place) << 2), HEAD);
}

export function setNeighbour(list: usize, place: i32, slot: i32): void {
  store<i32>(list + ((<usize>place) << 2), slot, HEAD);
}

/** The number that marks what the search that begins has seen. */
export function nextStamp(): i32 {
  if (stamp === 0xffff) {
    memory.fill(visited, 0, (<usize>capacity) << 1);
    stamp = 0;
  }
  stamp += 1;
  return stamp;
}
