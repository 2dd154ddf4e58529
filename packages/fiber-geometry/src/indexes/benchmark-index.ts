import { Rng } from '@palimpsest/tensor-core';
import { createIndex, type IndexKind, type IndexOptions } from './create-index.js';
import { FlatIndex } from './flat-index.js';

export interface IndexBenchmark {
  readonly kind: IndexKind;
  readonly n: number;
  /** Share of the true k nearest that were found. */
  readonly recall: number;
  readonly searchMs: number;
  readonly flatSearchMs: number;
  readonly insertMicroseconds: number;
}

/** How well and how fast an index finds the k nearest of n random directions, measured against the flat scan. */
export function benchmarkIndex(
  n: number,
  dimension: number,
  k: number,
  options: IndexOptions & { kind?: IndexKind; queries?: number; clusters?: number; seed?: number } = {},
): IndexBenchmark {
  const { kind = 'auto', queries = 200, clusters = 0, seed = 1 } = options;
  const rng = Rng.fromSeed(seed);
  const draw = directions(rng, dimension, clusters);
  const index = createIndex(kind, dimension, options);
  const exact = new FlatIndex(dimension);
  const vectors = Array.from({ length: n }, draw);
  const started = performance.now();
  vectors.forEach((vector, id) => {
    index.insert(id, vector);
  });
  const insertMicroseconds = ((performance.now() - started) * 1000) / n;
  vectors.forEach((vector, id) => {
    exact.insert(id, vector);
  });
  const questions = Array.from({ length: queries }, draw);
  // A first round lets the engine compile; only the second is timed.
  for (const question of questions) index.search(question, k);
  let searchMs = 0;
  let flatSearchMs = 0;
  let found = 0;
  for (const question of questions) {
    const before = performance.now();
    const hits = index.search(question, k);
    const between = performance.now();
    const truth = new Set(exact.search(question, k).map(({ id }) => id));
    flatSearchMs += performance.now() - between;
    searchMs += between - before;
    found += hits.filter(({ id }) => truth.has(id)).length;
  }
  return {
    kind,
    n,
    recall: found / (queries * Math.min(k, n)),
    searchMs: searchMs / queries,
    flatSearchMs: flatSearchMs / queries,
    insertMicroseconds,
  };
}

/** Directions that are uniform, or gathered around `clusters` centers. */
function directions(rng: Rng, dimension: number, clusters: number): () => Float32Array {
  const normal = () => Float32Array.from({ length: dimension }, () => rng.normal());
  if (clusters === 0) return normal;
  const centers = Array.from({ length: clusters }, normal);
  return () => {
    const center = centers[rng.int(clusters)]!;
    return center.map((value) => value + 0.25 * rng.normal());
  };
}
