import { benchmarkIndex, type IndexKind } from '@palimpsest/fiber-geometry';
import { defineTask } from '@palimpsest/lm';
import { z } from 'zod';

const kinds = ['hnsw', 'cone', 'tree'] as const satisfies readonly IndexKind[];

const options = z.strictObject({
  sizes: z.array(z.int().min(1)).default([1000, 10_000]).describe('directions in the index'),
  dimension: z.int().min(2).default(16).describe('width of the directions'),
  neighbours: z.int().min(1).default(8).describe('nearest directions that are asked for'),
  queries: z.int().min(1).default(100).describe('searches per index'),
});

/** Recall and latency of the direction indexes against the flat scan of the same run. */
export const indexRecall = defineTask({
  name: 'index-recall',
  family: 'library',
  title: 'Direction indexes: recall and latency against the flat scan',
  description:
    'The nearest of n random directions are searched for by graph (HNSW), by exact cones and by the direction tree; recall is the share of the true nearest that were found, latency stands beside that of the flat scan.',
  options,
  contenders: 'none',
  headline: { metric: 'recall of hnsw', unit: '%', higherIsBetter: true },
  async run({ seed, signal, progress }, { sizes, dimension, neighbours, queries }) {
    const rows = sizes.flatMap((n, place) =>
      kinds.map((kind, index) => {
        signal?.throwIfAborted();
        progress((place * kinds.length + index) / (sizes.length * kinds.length), `${kind}, ${n} directions`);
        return benchmarkIndex(n, dimension, neighbours, { kind, queries, seed: seed + 1 });
      }),
    );
    const axes = { xTitle: 'directions', yTitle: 'ms per search' };
    const flat = sizes.map((n): [number, number] => [n, rows.find((row) => row.n === n)!.flatSearchMs]);
    return {
      passed: rows.every(({ kind, recall }) => (kind === 'tree' ? recall > 0 : recall >= 0.95)),
      metrics: [...rows].reverse().flatMap(({ kind, n, recall, searchMs, flatSearchMs }) => {
        const slice = { directions: n };
        return [
          { name: `recall of ${kind}`, value: 100 * recall, unit: '%', slice, higherIsBetter: true },
          { name: `search time of ${kind}`, value: searchMs, unit: 'ms', slice, higherIsBetter: false },
          { name: `speed-up of ${kind}`, value: flatSearchMs / searchMs, unit: 'times flat', slice },
        ];
      }),
      curves: [
        { name: 'flat', ...axes, points: flat },
        ...kinds.map((kind) => ({
          name: kind,
          ...axes,
          points: rows
            .filter((row) => row.kind === kind)
            .map(({ n, searchMs }): [number, number] => [n, searchMs]),
        })),
      ],
    };
  },
});
