import { clusteredVectors, coderSpecs, type RateDistortionRow, rateDistortion } from '@palimpsest/kakeya';
import { lineChart } from '../report/charts.js';
import type { Evaluation } from './suite.js';

export interface RateDistortionSize {
  readonly dimension: number;
  readonly trainRows: number;
  readonly testRows: number;
  /** Residual entries of the sparse record; each decides a size that the dense coders are given too. */
  readonly residuals: readonly number[];
}

/** Reconstruction error against bytes per vector: the reference's sparse record, its refit, and transform coding. */
export function kakeyaRateDistortion(size: RateDistortionSize): Evaluation {
  return {
    name: 'kakeya/rate-distortion',
    system: 'kakeya',
    title: 'Kakeya: reconstruction error against bytes per vector',
    async run({ seed, signal, progress }) {
      const { train, test, name } = clusteredVectors({ ...size, seed });
      const rows: RateDistortionRow[] = [];
      for (const [index, kakeyaDRes] of size.residuals.entries()) {
        signal?.throwIfAborted();
        progress(index / size.residuals.length, `${kakeyaDRes} residual entries`);
        const sparse = rateDistortion(train, test, [
          coderSpecs.sparse({ encoder: 'parity', kakeyaDRes }),
          coderSpecs.sparse({ encoder: 'refit', kakeyaDRes }),
        ]);
        const bytes = sparse[0]!.bytesPerVec;
        rows.push(...sparse, ...rateDistortion(train, test, [coderSpecs.transform(bytes)]));
      }
      const bytes = rows.at(-1)!.bytesPerVec;
      const atMost = rows.filter(({ bytesPerVec }) => bytesPerVec === bytes);
      const error = (coder: string) => atMost.find((row) => row.coder === coder)!.median;
      const original = 4 * size.dimension;
      return {
        summary: `Vectors of ${original} bytes (${name}) in ${bytes} bytes each: the median relative error is ${error('kakeya parity').toFixed(3)} with the reference's record, ${error('kakeya refit').toFixed(3)} when it is refitted, ${error('transform').toFixed(3)} with transform coding.`,
        passed:
          error('kakeya refit') <= error('kakeya parity') && error('transform') < error('kakeya parity'),
        config: { ...size, vectors: name },
        metrics: rows.map(({ coder, bytesPerVec, median }) => ({
          name: `${coder}, ${bytesPerVec} bytes`,
          value: median,
          unit: 'median relative error',
          samples: size.testRows,
          higherIsBetter: false,
        })),
        charts: [
          lineChart(
            rows.map(({ coder, bytesPerVec, median }) => ({ x: bytesPerVec, y: median, series: coder })),
            {
              title: `Compressing ${name}`,
              xTitle: 'bytes per vector',
              yTitle: 'median relative error',
            },
          ),
        ],
      };
    },
  };
}
