import { type BundleAxes, type Matrix, matrix, pushforward, Random, rowOf } from '../src/index.js';
import { gaussian } from './vectors.js';

export const axes: BundleAxes = {
  time: unit(8, 1),
  topic: unit(16, 2),
  ctx: unit(12, 3),
};

function unit(n: number, seed: number): Float64Array {
  const v = new Random(seed).normals(n);
  return v.map((x) => x / Math.hypot(...v));
}

export interface Memories {
  readonly fields: Record<string, Matrix>;
  readonly base: { time: Matrix; topic: Matrix; ctx: Matrix };
}

/**
 * n memories whose fields depend linearly on the base coordinates of their bundles, plus `rank` free factors and
 * noise; semantic_emb is `contrast` times larger than the other fields.
 */
export function memories(
  n: number,
  seed: number,
  options: { contrast?: number; rank?: number } = {},
): Memories {
  const { contrast = 1, rank = 6 } = options;
  const base = {
    time: gaussian(n, 8, seed),
    topic: gaussian(n, 16, seed + 1),
    ctx: gaussian(n, 12, seed + 2),
  };
  const field = (width: number, from: Matrix[], mapSeed: number, scale: number) => {
    const maps = from.map((b, i) => gaussian(b.cols, width, mapSeed + i, 0.5));
    const loadings = gaussian(rank, width, mapSeed + 50, 0.5);
    const random = new Random(seed * 1000 + mapSeed);
    const result = matrix(n, width);
    for (let i = 0; i < n; i++) {
      const free = pushforward(random.normals(rank), loadings);
      const parts = from.map((b, k) => pushforward(rowOf(b, i), maps[k]!));
      for (let j = 0; j < width; j++) {
        const value = parts.reduce((sum, part) => sum + part[j]!, free[j]! + 0.05 * random.normal());
        result.data[i * width + j] = scale * value;
      }
    }
    return result;
  };
  return {
    base,
    fields: {
      semantic_emb: field(96, [base.time, base.topic], 5100, contrast),
      content_wte_mean: field(80, [base.topic], 5200, 1),
      context_descriptor: field(64, [base.ctx], 5300, 1),
    },
  };
}

/** One memory of many. */
export function memoryAt({ fields }: Memories, row: number): Record<string, Float64Array> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, m]) => [name, Float64Array.from(rowOf(m, row))]),
  );
}
