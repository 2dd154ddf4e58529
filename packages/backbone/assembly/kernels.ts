// The inner loops of transformers whose weights are blocks of 8 or 4 bits or numbers of 32, in AssemblyScript: WebAssembly with the dot product of
// four bytes of relaxed SIMD, in a memory that threads share. `node scripts/kernels.mjs backbone` compiles this file into
// src/kernels-wasm.ts. All addresses are bytes; widths are multiples of 4, inputs of matrices of 32, outputs of 16.

import { attendQueries } from './attention';
import { multiplyFloats } from './floats';
import { multiplyGroups } from './products';

export { turn } from '../../base/assembly/kernels';
export { addRootNormalised, swiGlu } from '../../base/assembly/memories';
export { arrange, roundRows, roundRowsFine } from './blocks';

// What threads share lies at fixed addresses, each in a cache line of its own.

/** The job's number, how many parts it has, and the next one that nobody has taken: 32, 16 and 16 bits. */
const TICKET: usize = 1024;
/** Parts that are done. */
const DONE: usize = 1088;
/** Threads that sleep until there is a job. */
const ASLEEP: usize = 1152;
/** 1 when all threads shall end. */
const OVER: usize = 1216;
/** What the job is. */
const JOB: usize = 1280;
/** Looks at the ticket before a thread goes to sleep: about as long as drawing a token takes. */
const PATIENCE: i32 = 400_000;

/** Scratch of this thread, for sixteen rows of 8 bits. */
let wide: usize = 0;

@unmanaged
class Job {
  isAttention: i32;
  y: usize;
  w: usize;
  x: usize;
  bias: usize;
  groups: i32;
  part: i32;
  blocks: i32;
  bits: i32;
  isFine: bool;
  tokens: i32;
  stride: usize;
  keys: usize;
  values: usize;
  scores: usize;
  scoresStride: usize;
  slots: usize;
  counts: usize;
  heads: i32;
  keyValueHeads: i32;
  width: i32;
  headStride: usize;
  scale: f32;
}

const job = changetype<Job>(JOB);

/** Of one key/value head: every token's key and value into their slot, then what its queries read there. */
function attendHead(head: i32): void {
  const width = job.width;
  const heads = job.heads;
  const keyValueHeads = job.keyValueHeads;
  const bytes = (<usize>width) << 2;
  const keys = job.keys + job.headStride * head;
  const values = job.values + job.headStride * head;
  const shared = heads / keyValueHeads;
  const scores = job.scores + job.scoresStride * head * shared;
  const first = bytes * (head * shared);
  const key = bytes * (heads + head);
  const value = key + bytes * keyValueHeads;
  let row = job.x;
  let y = job.y + first;
  for (let token = 0; token < job.tokens; token++, row += job.stride, y += bytes * heads) {
    const slot = bytes * load<i32>(job.slots + ((<usize>token) << 2));
    memory.copy(keys + slot, row + key, bytes);
    memory.copy(values + slot, row + value, bytes);
    const count = load<i32>(job.counts + ((<usize>token) << 2));
    attendQueries(y, row + first, shared, keys, values, scores, job.scoresStride, count, bytes, job.scale);
  }
}

function perform(part: i32): void {
  if (job.isAttention) {
    attendHead(part);
    return;
  }
  const from = part * job.part;
  multiplySome(from, min(job.groups, from + job.part));
}

/** The job's product for some groups of rows. */
function multiplySome(from: i32, to: i32): void {
  const blocks = job.blocks;
  if (job.bits === 32) {
    const bytes = (<usize>blocks) << 7;
    multiplyFloats(job.y, job.w, job.x, job.bias, from, to, bytes, job.tokens, job.stride);
    return;
  }
  multiplyGroups(
    job.y,
    job.w,
    job.x,
    job.bias,
    from,
    to,
    blocks,
    job.bits,
    job.tokens,
    job.stride,
    job.isFine,
    wide,
  );
}

/** Takes parts of the present job until there are none left. */
function takeParts(): void {
  while (true) {
    const seen = atomic.load<u64>(TICKET);
    if ((seen & 0xffff) >= ((seen >> 16) & 0xffff)) return;
    const ticket = atomic.add<u64>(TICKET, 1);
    const part = ticket & 0xffff;
    // A ticket of a job that was over is nothing; one of the next job is as good.
    if (part >= ((ticket >> 16) & 0xffff)) continue;
    perform(<i32>part);
    atomic.add<i32>(DONE, 1);
  }
}

/** Does the job with all threads, and returns when it is done. */
function share(parts: i32): void {
  atomic.store<i32>(DONE, 0);
  const number = (atomic.load<u64>(TICKET) >> 32) + 1;
  atomic.store<u64>(TICKET, (number << 32) | ((<u64>parts) << 16));
  if (atomic.load<i32>(ASLEEP) > 0) atomic.notify(TICKET, -1);
  takeParts();
  while (atomic.load<i32>(DONE) < parts) {}
}

/** Names scratch for sixteen rows of 8 bits to this thread. */
export function begin(scratch: usize): void {
  wide = scratch;
}

/** Another thread's part in all jobs to come, until `end`. */
export function help(scratch: usize): void {
  begin(scratch);
  let looks = 0;
  while (!atomic.load<i32>(OVER)) {
    const seen = atomic.load<u64>(TICKET);
    if ((seen & 0xffff) < ((seen >> 16) & 0xffff)) {
      takeParts();
      looks = 0;
    } else if (++looks > PATIENCE) {
      atomic.add<i32>(ASLEEP, 1);
      if (!atomic.load<i32>(OVER)) atomic.wait<u64>(TICKET, seen, -1);
      atomic.sub<i32>(ASLEEP, 1);
      looks = 0;
    }
  }
}

/** Ends the other threads. */
export function end(): void {
  atomic.store<i32>(OVER, 1);
  // Who is about to sleep sees another ticket.
  atomic.add<u64>(TICKET, (<u64>1) << 32);
  atomic.notify(TICKET, -1);
}

/**
 * y = W x + bias for several rows.
 * @param y `[tokens, 16 groups]`, with 32 bits `[tokens, groups]`
 * @param x what `roundRows` left of each row, or `roundRowsFine`; with 32 bits the rows themselves
 * @param groups of sixteen outputs, with 32 bits of one
 * @param parts that threads take one by one
 */
export function multiply(
  y: usize,
  w: usize,
  x: usize,
  bias: usize,
  groups: i32,
  blocks: i32,
  bits: i32,
  tokens: i32,
  isFine: bool,
  parts: i32,
): void {
  job.isAttention = 0;
  job.y = y;
  job.w = w;
  job.x = x;
  job.bias = bias;
  job.groups = groups;
  job.part = (groups + parts - 1) / parts;
  job.blocks = blocks;
  job.bits = bits;
  job.isFine = isFine;
  job.tokens = tokens;
  job.stride = (<usize>groups) << (bits === 32 ? 2 : 6);
  if (parts === 1) multiplySome(0, groups);
  else share(parts);
}

/**
 * Attention of several tokens, one after the other: each one's key and value take its slot, then its queries read the first
 * `counts` slots.
 * @param y `[tokens, heads, width]`
 * @param rows queries, keys and values after rotation, `[tokens, heads + 2 keyValueHeads, width]`
 * @param keys `[keyValueHeads, slots, width]`, heads `headStride` bytes apart; values as well
 * @param scores scratch, `scoresStride` bytes for each head
 * @param slots int32 `[tokens]`, and counts
 */
export function attendAll(
  y: usize,
  rows: usize,
  keys: usize,
  values: usize,
  headStride: usize,
  scores: usize,
  scoresStride: usize,
  slots: usize,
  counts: usize,
  tokens: i32,
  heads: i32,
  keyValueHeads: i32,
  width: i32,
  scale: f32,
  isShared: bool,
): void {
  job.isAttention = 1;
  job.y = y;
  job.x = rows;
  job.stride = (<usize>((heads + 2 * keyValueHeads) * width)) << 2;
  job.keys = keys;
  job.values = values;
  job.headStride = headStride;
  job.scores = scores;
  job.scoresStride = scoresStride;
  job.slots = slots;
  job.counts = counts;
  job.tokens = tokens;
  job.heads = heads;
  job.keyValueHeads = keyValueHeads;
  job.width = width;
  job.scale = scale;
  if (isShared) share(keyValueHeads);
  else for (let head = 0; head < keyValueHeads; head++) attendHead(head);
}

/** Four products of a byte with another one, as this processor computes them. */
export function probe(x: i32, weight: i32): i32 {
  const bytes = i8x16.splat(<i8>x);
  const product = i32x4.relaxed_dot_i8x16_i7x16_add_s(bytes, i8x16.splat(<i8>weight), i32x4.splat(0));
  return i32x4.extract_lane(product, 0);
}
