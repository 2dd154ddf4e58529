import { tf } from '@palimpsest/tensor-core';
import { decayPowers, strictDecayMatrix } from '../prefix-sum.js';
import type { ReadSchedule } from '../read-schedule.js';

/** What the value memory of every head works on; w is the number of buckets (or channels) per head. */
export interface ValueReadInput {
  /** [batch, heads, reads, 2 w]: real part and negated imaginary part of the query, for reading tokens only. */
  readonly query: tf.Tensor;
  /** [batch, heads, time, 2 w]. */
  readonly key: tf.Tensor;
  /** [batch, heads, time, d / heads]. */
  readonly value: tf.Tensor;
  /** Memory before the first token, [batch, heads, 2 w, d / heads]. */
  readonly memory: tf.Tensor;
  /** Factor on the memory per token, one per head. */
  readonly decays: readonly number[];
  readonly schedule: ReadSchedule;
  /** Tokens per chunk; a multiple of the schedule's period. */
  readonly chunk: number;
}

export interface ValueReadOutput {
  /** sum_{s<t} decay^(t-1-s) (query_t . key_s) value_s, [batch, heads, reads, d / heads]. */
  readonly raw: tf.Tensor;
  /** Memory after the last token. */
  readonly memory: tf.Tensor;
}

/**
 * Causal linear attention without normalisation, the diagonal excluded (DERIVATION.md, "Value path"): all tokens against all tokens while
 * that is cheap, and in chunks linked by their summed memories otherwise. The memory of a long run is never built per token.
 */
export function readValues(input: ValueReadInput): ValueReadOutput {
  const { time } = input.schedule;
  const { chunk } = input;
  if (time === 1) return readOne(input);
  const width = input.value.shape[3]!;
  if (time <= Math.max(chunk, chunk + Math.floor((4 * width) / 3))) return readMasked(input);
  const whole = Math.floor(time / chunk) * chunk;
  if (whole === time) return readChunked(input);
  const groups = whole / input.schedule.every;
  const head = readChunked({
    ...input,
    query: timeSlice(input.query, 0, groups),
    key: timeSlice(input.key, 0, whole),
    value: timeSlice(input.value, 0, whole),
    schedule: input.schedule.part(0, whole),
  });
  const tail = readMasked({
    ...input,
    query: timeSlice(input.query, groups),
    key: timeSlice(input.key, whole),
    value: timeSlice(input.value, whole),
    memory: head.memory,
    schedule: input.schedule.part(whole, time - whole),
  });
  return { raw: tf.concat([head.raw, tail.raw], 2), memory: tail.memory };
}

function timeSlice(x: tf.Tensor, from: number, size = -1): tf.Tensor {
  return tf.slice(x, [0, 0, from, 0], [-1, -1, size, -1]);
}

const product = (a: tf.Tensor, b: tf.Tensor, transposeA = false, transposeB = false): tf.Tensor =>
  tf.matMul(a as tf.Tensor4D, b as tf.Tensor4D, transposeA, transposeB);

/** Multiplies by one factor per head, unless all are 1. `factors` lists them over (head, rest of `shape`). */
function headFactor(x: tf.Tensor, factors: readonly Float32Array[], shape: readonly number[]): tf.Tensor {
  if (factors.every((list) => list.every((factor) => factor === 1))) return x;
  const data = Float32Array.from(factors.flatMap((list) => [...list]));
  return tf.mul(x, tf.tensor(data, [1, factors.length, ...shape]));
}

function readOne({ query, key, value, memory, decays }: ValueReadInput): ValueReadOutput {
  const kept = headFactor(
    memory,
    decays.map((decay) => Float32Array.of(decay)),
    [1, 1],
  );
  return { raw: product(query, memory), memory: tf.add(kept, product(key, value, true)) };
}

function readMasked(input: ValueReadInput): ValueReadOutput {
  const { query, key, value, memory, decays, schedule } = input;
  const scores = tf.mul(product(query, key, false, true), readMask(schedule, decays, schedule.time));
  const raw = tf.add(product(scores, value), carriedRead(product(query, memory), schedule, decays));
  return {
    raw,
    memory: tf.add(agedMemory(memory, decays, schedule.time), summedMemory(input, key, value, schedule.time)),
  };
}

function agedMemory(memory: tf.Tensor, decays: readonly number[], time: number): tf.Tensor {
  return headFactor(
    memory,
    decays.map((decay) => Float32Array.of(decay ** time)),
    [1, 1],
  );
}

/** sum_s decay^(time-1-s) key_s (x) value_s over the last but one axis. */
function summedMemory({ decays }: ValueReadInput, key: tf.Tensor, value: tf.Tensor, time: number): tf.Tensor {
  const ages = decays.map((decay) => decayPowers(time, decay).reverse());
  return product(headFactor(key, ages, [time, 1]), value, true);
}

/** For every read at place j: [.., s] = decay^(j-1-s) for s < j, shaped [1 or batch, 1 or heads, reads, time]. */
function readMask(schedule: ReadSchedule, decays: readonly number[], time: number): tf.Tensor {
  const { every } = schedule;
  const reads = Math.ceil(time / every);
  const distinct = distinctDecays(decays);
  const heads = distinct.length;
  const table = new Float32Array(every * heads * reads * time);
  distinct.forEach((decay, head) => {
    const all = strictDecayMatrix(reads * every, time, decay);
    for (let first = 0; first < every; first++) {
      for (let read = 0; read < reads; read++) {
        const row = all.subarray((read * every + first) * time, (read * every + first + 1) * time);
        table.set(row, ((first * heads + head) * reads + read) * time);
      }
    }
  });
  const looked = schedule.lookUp(tf.tensor2d(table, [every, heads * reads * time]));
  return tf.reshape(looked, [-1, heads, reads, time]);
}

/** One decay stands for all heads when they agree. */
function distinctDecays(decays: readonly number[]): readonly number[] {
  return decays.every((decay) => decay === decays[0]) ? decays.slice(0, 1) : decays;
}

/** Ages what was read from the memory before the run: the read at place j gets decay^j. */
function carriedRead(raw: tf.Tensor, schedule: ReadSchedule, decays: readonly number[]): tf.Tensor {
  return tf.mul(raw, readPowers(schedule, decays, raw.shape[2]!));
}

/** decay^j for every read, [1 or batch, 1 or heads, reads, 1], or 1 when nothing is forgotten. */
function readPowers(schedule: ReadSchedule, decays: readonly number[], reads: number): tf.Tensor {
  if (decays.every((decay) => decay === 1)) return tf.scalar(1);
  const { every } = schedule;
  const distinct = distinctDecays(decays);
  const table = new Float32Array(every * distinct.length * reads);
  for (let first = 0; first < every; first++) {
    distinct.forEach((decay, head) => {
      for (let read = 0; read < reads; read++) {
        table[(first * distinct.length + head) * reads + read] = decay ** (read * every + first);
      }
    });
  }
  const looked = schedule.lookUp(tf.tensor2d(table, [every, distinct.length * reads]));
  return tf.reshape(looked, [-1, distinct.length, reads, 1]);
}

function readChunked(input: ValueReadInput): ValueReadOutput {
  const { query, key, value, memory, decays, schedule, chunk } = input;
  const [batch, heads, time, width] = key.shape as [number, number, number, number];
  const depth = value.shape[3]!;
  const chunks = time / chunk;
  const reads = chunk / schedule.every;
  // Chunks join the batch axis; the read mask repeats for every chunk of a row.
  const inChunks = (x: tf.Tensor, rows: number) =>
    tf.reshape(tf.transpose(tf.reshape(x, [batch, heads, chunks, rows, x.shape[3]!]), [0, 2, 1, 3, 4]), [
      batch * chunks,
      heads,
      rows,
      x.shape[3]!,
    ]);
  const [q, k, v] = [inChunks(query, reads), inChunks(key, chunk), inChunks(value, chunk)];
  const one = schedule.part(0, chunk);
  const mask = repeatForChunks(readMask(one, decays, chunk), chunks);
  const within = product(tf.mul(product(q, k, false, true), mask), v);
  const sums = tf.reshape(summedMemory(input, k, v, chunk), [batch, chunks, heads, width * depth]);
  const atChunks = linkChunks(sums, tf.reshape(memory, [batch, heads, width * depth]), decays, chunk);
  const before = tf.reshape(tf.slice(atChunks, [0, 0, 0, 0], [-1, -1, chunks, -1]), [
    batch,
    heads,
    chunks,
    width,
    depth,
  ]);
  const starts = tf.reshape(tf.transpose(before, [0, 2, 1, 3, 4]), [batch * chunks, heads, width, depth]);
  const powers = readPowers(one, decays, reads);
  const carried = tf.mul(product(q, starts), powers.rank === 0 ? powers : repeatForChunks(powers, chunks));
  const raw = tf.reshape(tf.add(within, carried), [batch, chunks, heads, reads, depth]);
  return {
    raw: tf.reshape(tf.transpose(raw, [0, 2, 1, 3, 4]), [batch, heads, chunks * reads, depth]),
    memory: tf.reshape(tf.slice(atChunks, [0, 0, chunks, 0], [-1, -1, 1, -1]), [batch, heads, width, depth]),
  };
}

/** Per-row constants [batch, ...] for the axis batch * chunks; constants common to all rows stay as they are. */
function repeatForChunks(x: tf.Tensor, chunks: number): tf.Tensor {
  if (x.shape[0] === 1) return x;
  const [batch, ...rest] = x.shape as [number, ...number[]];
  const repeated = tf.tile(tf.expandDims(x, 1), [1, chunks, ...rest.map(() => 1)]);
  return tf.reshape(repeated, [batch * chunks, ...rest]);
}

/**
 * Memories before every chunk and after the last: [batch, heads, chunks + 1, size], from the sums of the chunks
 * [batch, chunks, heads, size] and the memory before the run [batch, heads, size].
 */
function linkChunks(sums: tf.Tensor, memory: tf.Tensor, decays: readonly number[], chunk: number): tf.Tensor {
  const chunks = sums.shape[1]!;
  const distinct = distinctDecays(decays);
  const links = Float32Array.from(
    distinct.flatMap((decay) => [...strictDecayMatrix(chunks + 1, chunks, decay, chunk)]),
  );
  const link = tf.tensor4d(links, [1, distinct.length, chunks + 1, chunks]);
  const ages = decays.map((decay) => decayPowers(chunks + 1, decay, chunk));
  const fromStart = headFactor(tf.tile(tf.expandDims(memory, 2), [1, 1, chunks + 1, 1]), ages, [
    chunks + 1,
    1,
  ]);
  return tf.add(product(link, tf.transpose(sums, [0, 2, 1, 3])), fromStart);
}
