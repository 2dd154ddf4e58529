import { quantile } from '@palimpsest/base';
import { dotAt, type Matrix, takeRows } from './matrix.js';

/** Rows may be this many times as far out as the middle one, or this many times as the 95th of a hundred. */
const MEDIANS = 4;
const NINETY_FIFTHS = 2;

/**
 * The length beyond which one of these is an outlier: four medians, or two 95 % quantiles where lengths spread more, so that
 * a few percent of outliers move neither. Infinite where half of the lengths are 0.
 */
export function lengthLimit(lengths: Float64Array): number {
  const middle = quantile(lengths, 0.5);
  return middle > 0
    ? Math.max(MEDIANS * middle, NINETY_FIFTHS * quantile(lengths, 0.95))
    : Number.POSITIVE_INFINITY;
}

/**
 * Rows [n, d] to learn from, without those farther than {@link lengthLimit} from the middle of the shorter half: one bad row
 * would take components, steps and bits from all others. The rows themselves when there are none.
 */
export function withoutOutliers(x: Matrix): Matrix {
  const norms = Float64Array.from({ length: x.rows }, (_, i) => length(x, i));
  const middle = quantile(norms, 0.5);
  const center = new Float64Array(x.cols);
  const short = norms.reduce((count, norm) => count + Number(norm <= middle), 0);
  norms.forEach((norm, i) => {
    if (norm > middle) return;
    for (let j = 0; j < x.cols; j++) center[j]! += x.data[i * x.cols + j]! / short;
  });
  const distances = Float64Array.from({ length: x.rows }, (_, i) => {
    let sum = 0;
    for (let j = 0; j < x.cols; j++) sum += (x.data[i * x.cols + j]! - center[j]!) ** 2;
    return Math.sqrt(sum);
  });
  const limit = lengthLimit(distances);
  const kept = [...distances.keys()].filter((i) => distances[i]! <= limit);
  return kept.length === x.rows ? x : takeRows(x, kept);
}

const length = (x: Matrix, row: number): number =>
  Math.sqrt(dotAt(x.data, row * x.cols, x.data, row * x.cols, x.cols));
