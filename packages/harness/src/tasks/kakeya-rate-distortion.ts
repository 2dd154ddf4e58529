import { clusteredVectors, coderSpecs, type RateDistortionRow, rateDistortion } from '@palimpsest/kakeya';
import { defineTask } from '@palimpsest/lm';
import { z } from 'zod';

const options = z.strictObject({
  dimension: z.int().min(2).default(128).describe('width of the vectors'),
  trainRows: z.int().min(1).default(800).describe('vectors that coders are fitted to'),
  testRows: z.int().min(1).default(200).describe('held-out vectors'),
  residuals: z
    .array(z.int().min(1))
    .default([2, 4, 8])
    .describe('residual entries of the sparse record; each decides a size that the other coders get too'),
});

const TRANSFORM = 'transform';

/** Reconstruction error against bytes per vector: the original's sparse record, its refit, and transform coding. */
export const kakeyaRateDistortion = defineTask({
  name: 'kakeya-rate-distortion',
  family: 'library',
  title: 'Kakeya: reconstruction error against bytes per vector',
  description:
    'Held-out clustered vectors are compressed by the original sparse record, by its refit, and by transform coding in as many bytes; the median relative error is measured. Both improvements must not lose to the original.',
  options,
  contenders: 'none',
  headline: { metric: 'median relative error', unit: '', higherIsBetter: false },
  async run({ seed, signal, progress }, size) {
    const { train, test, name } = clusteredVectors({ ...size, seed });
    const rows: RateDistortionRow[] = [];
    for (const [index, kakeyaDRes] of size.residuals.entries()) {
      signal?.throwIfAborted();
      progress(index / size.residuals.length, `${kakeyaDRes} residual entries`);
      const sparse = rateDistortion(train, test, [
        coderSpecs.sparse({ encoder: 'parity', kakeyaDRes }),
        coderSpecs.sparse({ encoder: 'refit', kakeyaDRes }),
      ]);
      rows.push(...sparse, ...rateDistortion(train, test, [coderSpecs.transform(sparse[0]!.bytesPerVec)]));
    }
    const bytes = rows.at(-1)!.bytesPerVec;
    const error = (coder: string) =>
      rows.find((row) => row.coder === coder && row.bytesPerVec === bytes)?.median ?? Number.NaN;
    const coders = [...new Set(rows.map(({ coder }) => coder))];
    return {
      passed: error('kakeya refit') <= error('kakeya parity') && error(TRANSFORM) < error('kakeya parity'),
      // The headline comes first: the best coder at the largest size.
      metrics: [...rows].reverse().map(({ coder, bytesPerVec, median }) => ({
        name: 'median relative error',
        value: median,
        unit: '',
        slice: { coder, bytes: bytesPerVec },
        samples: size.testRows,
        higherIsBetter: false,
      })),
      curves: coders.map((coder) => ({
        name: coder,
        xTitle: 'bytes per vector',
        yTitle: 'median relative error',
        points: rows
          .filter((row) => row.coder === coder)
          .map(({ bytesPerVec, median }): [number, number] => [bytesPerVec, median]),
      })),
      notes: [`Vectors: ${name}, ${4 * size.dimension} bytes each before compression.`],
    };
  },
});
