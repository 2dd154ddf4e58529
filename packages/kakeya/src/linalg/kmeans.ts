import { dotAt, type Matrix, matrix, rowOf, timesTransposed } from './matrix.js';
import type { Random } from './random.js';

/**
 * Seeded Euclidean k-means (Lloyd) on rows [n, d]: starts from distinct rows, `rounds` rounds; an empty cluster takes
 * a random row. Returns centroids [k, d]; with fewer rows than k the rest repeat rows.
 */
export function kMeans(x: Matrix, k: number, rounds: number, random: Random): Matrix<Float64Array> {
  const centroids = matrix(k, x.cols);
  const order = shuffled(x.rows, random);
  for (let c = 0; c < k; c++) centroids.data.set(rowOf(x, order[c % x.rows]!), c * x.cols);
  for (let round = 0; round < rounds; round++) {
    moveToMeans(x, nearestCentroids(x, centroids), centroids, random);
  }
  return centroids;
}

/** Number of the nearest centroid of every row, by one matrix product; ties go to the lowest index. */
export function nearestCentroids(x: Matrix, centroids: Matrix): Int32Array {
  if (centroids.rows === 1) return new Int32Array(x.rows);
  return bestColumns(timesTransposed(x, centroids), halfSquares(centroids));
}

/** Column of the largest entry minus its handicap in every row; ties go to the lowest. */
export function bestColumns(scores: Matrix, handicap?: Float64Array, axial = false): Int32Array {
  const { rows, cols, data } = scores;
  const best = new Int32Array(rows);
  for (let i = 0; i < rows; i++) {
    let highest = -Infinity;
    for (let c = 0; c < cols; c++) {
      const raw = data[i * cols + c]!;
      const score = (axial ? Math.abs(raw) : raw) - (handicap ? handicap[c]! : 0);
      if (score > highest) {
        highest = score;
        best[i] = c;
      }
    }
  }
  return best;
}

/** |c|^2 / 2 of every row. */
function halfSquares({ rows, cols, data }: Matrix): Float64Array {
  return Float64Array.from({ length: rows }, (_, c) => dotAt(data, c * cols, data, c * cols, cols) / 2);
}

/** Prepares argmin |x - c|^2 = argmax (x . c - |c|^2 / 2); ties go to the lowest index. */
export function nearestCentroid(centroids: Matrix): (data: Matrix['data'], offset: number) => number {
  const d = centroids.cols;
  const half = halfSquares(centroids);
  return (data, offset) => {
    let best = 0;
    let bestScore = -Infinity;
    for (let c = 0; c < centroids.rows; c++) {
      const score = dotAt(data, offset, centroids.data, c * d, d) - half[c]!;
      if (score > bestScore) {
        bestScore = score;
        best = c;
      }
    }
    return best;
  };
}

function moveToMeans(x: Matrix, labels: Int32Array, centroids: Matrix, random: Random): void {
  const counts = new Int32Array(centroids.rows);
  centroids.data.fill(0);
  for (let i = 0; i < x.rows; i++) {
    const c = labels[i]!;
    counts[c]!++;
    for (let j = 0; j < x.cols; j++) centroids.data[c * x.cols + j]! += x.data[i * x.cols + j]!;
  }
  for (let c = 0; c < centroids.rows; c++) {
    if (counts[c] === 0) {
      centroids.data.set(rowOf(x, random.integer(x.rows)), c * x.cols);
      continue;
    }
    for (let j = 0; j < x.cols; j++) centroids.data[c * x.cols + j]! /= counts[c]!;
  }
}

function shuffled(n: number, random: Random): Int32Array {
  const order = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
