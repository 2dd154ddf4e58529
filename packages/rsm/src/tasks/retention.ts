import { type NDArray, ndarray, Rng } from '@palimpsest/tensor-core';
import { halfLife, percentile } from './half-life.js';
import type { HostState, MemoryStream } from './memory-stream.js';

export interface Percentiles {
  readonly low: number;
  readonly median: number;
  readonly high: number;
}

export interface Retention {
  /** |ΔM_k| / |ΔM_0| of the whole memory after k chunks, k = 0 … chunks; mean over texts. */
  readonly ratios: readonly number[];
  /** Chunks after which half of a disturbance of the first memory is left; infinite when it outlives the texts. */
  readonly halfLife: number;
  /** Half-lives of the single slots of every memory, memory by memory. */
  readonly slotHalfLives: readonly number[];
  /** 10th, 50th and 90th percentile of the half-lives of the channels. */
  readonly channelHalfLives: Percentiles;
  /** Cosine between the memories after successive chunks, mean over slots and texts; one per transition. */
  readonly cosines: readonly number[];
  /** The memories after every chunk, [texts, …, slots, width]; the first memory first. */
  readonly memories: readonly NDArray[];
}

export interface RetentionOptions {
  readonly chunk: number;
  /** Standard deviation of the disturbance of the first memory. Default 1. */
  readonly disturbance?: number;
  readonly seed?: number;
}

/**
 * How long a memory keeps what it holds: two streams read the same texts, one with a disturbed first memory, and the
 * difference between their memories is followed from chunk to chunk.
 * @param texts of equal length, a whole number of chunks.
 */
export async function measureRetention(
  stream: MemoryStream,
  texts: readonly Int32Array[],
  options: RetentionOptions,
): Promise<Retention> {
  const { chunk, disturbance = 1, seed = 0 } = options;
  const initial = await stream.initState(texts.length);
  const noise = Rng.fromSeed(seed).normalArray(initial.memory.shape, 0, disturbance);
  let plain = initial;
  let disturbed: HostState = { ...initial, memory: sum(initial.memory, noise) };
  const first = difference(disturbed.memory, plain.memory);
  const differences = [first];
  const memories = [plain.memory];
  const chunks = Math.floor(texts[0]!.length / chunk);
  for (let index = 0; index < chunks; index++) {
    const [from, to] = [index * chunk, (index + 1) * chunk];
    plain = (await stream.read(texts, from, to, plain)).state;
    disturbed = (await stream.read(texts, from, to, disturbed)).state;
    differences.push(difference(disturbed.memory, plain.memory));
    memories.push(plain.memory);
  }
  return summarise(memories, differences);
}

function summarise(memories: readonly NDArray[], differences: readonly Float32Array[]): Retention {
  const { shape } = memories[0]!;
  const width = shape.at(-1)!;
  const perText = memories[0]!.data.length / shape[0]!;
  const follow = (belongs: (index: number) => number, groups: number) =>
    transpose(differences.map((values) => groupNorms(values, belongs, groups))).map(relative);
  const whole = follow(() => 0, 1)[0]!;
  const bySlot = follow((index) => Math.floor((index % perText) / width), perText / width);
  const byChannel = follow((index) => index % perText, perText);
  const channels = byChannel.map(halfLife);
  return {
    ratios: whole,
    halfLife: halfLife(whole),
    slotHalfLives: bySlot.map(halfLife),
    channelHalfLives: {
      low: percentile(channels, 0.1),
      median: percentile(channels, 0.5),
      high: percentile(channels, 0.9),
    },
    cosines: memories.slice(1).map((memory, index) => meanCosine(memories[index]!.data, memory.data, width)),
    memories,
  };
}

function meanCosine(before: ArrayLike<number>, after: ArrayLike<number>, width: number): number {
  const rows = before.length / width;
  let total = 0;
  for (let row = 0; row < rows; row++) {
    let [product, a, b] = [0, 0, 0];
    for (let c = row * width; c < (row + 1) * width; c++) {
      product += before[c]! * after[c]!;
      a += before[c]! ** 2;
      b += after[c]! ** 2;
    }
    total += product / Math.max(Math.sqrt(a * b), 1e-12);
  }
  return total / rows;
}

function groupNorms(values: Float32Array, belongs: (index: number) => number, groups: number): Float64Array {
  const squares = new Float64Array(groups);
  values.forEach((value, index) => {
    squares[belongs(index)]! += value * value;
  });
  return squares.map(Math.sqrt);
}

/** One series per group from one row of groups per chunk. */
function transpose(rows: readonly Float64Array[]): number[][] {
  return Array.from(rows[0]!, (_, group) => rows.map((row) => row[group]!));
}

const relative = (norms: readonly number[]) => norms.map((norm) => norm / Math.max(norms[0]!, 1e-30));

function difference(a: NDArray, b: NDArray): Float32Array {
  return Float32Array.from(a.data, (value, index) => value - b.data[index]!);
}

function sum(a: NDArray, b: NDArray): NDArray {
  return ndarray(
    Float32Array.from(a.data, (value, index) => value + b.data[index]!),
    a.shape,
  );
}
