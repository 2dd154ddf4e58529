/**
 * Farthest-first k-means of `points` `[n, width]` in Euclidean distance: the first center is row 0, each further one the
 * row farthest from its nearest center; then at most 50 rounds of Lloyd's algorithm, an empty cluster taking the row
 * that lies farthest from all centers. Ties go to the lowest index (DERIVATION.md, "Direction tree").
 * @returns the cluster of every row.
 */
export function farthestFirstKMeans(points: Float64Array, n: number, width: number, k: number): Int32Array {
  const centers = chooseCenters(points, n, width, k);
  let labels = new Int32Array(n);
  const distances = new Float64Array(n * k);
  for (let round = 0; round < 50; round++) {
    fillDistances(points, centers, distances, n, width, k);
    const next = nearest(distances, n, k);
    if (next.every((label, row) => label === labels[row])) break;
    labels = next;
    for (let cluster = 0; cluster < k; cluster++) {
      if (moveToMean(points, centers, labels, n, width, cluster)) continue;
      const row = farthestRow(distances, n, k);
      centers.set(points.subarray(row * width, (row + 1) * width), cluster * width);
      labels[row] = cluster;
    }
  }
  return labels;
}

function squaredDistance(a: Float64Array, atA: number, b: Float64Array, atB: number, width: number): number {
  let sum = 0;
  for (let i = 0; i < width; i++) sum += (a[atA + i]! - b[atB + i]!) ** 2;
  return sum;
}

function chooseCenters(points: Float64Array, n: number, width: number, k: number): Float64Array {
  const centers = new Float64Array(k * width);
  const closest = new Float64Array(n).fill(Number.POSITIVE_INFINITY);
  let chosen = 0;
  for (let cluster = 0; cluster < k; cluster++) {
    centers.set(points.subarray(chosen * width, (chosen + 1) * width), cluster * width);
    let best = -1;
    for (let row = 0; row < n; row++) {
      const distance = squaredDistance(points, row * width, centers, cluster * width, width);
      if (distance < closest[row]!) closest[row] = distance;
      if (best < 0 || closest[row]! > closest[best]!) best = row;
    }
    chosen = best;
  }
  return centers;
}

function fillDistances(
  points: Float64Array,
  centers: Float64Array,
  distances: Float64Array,
  n: number,
  width: number,
  k: number,
): void {
  for (let row = 0; row < n; row++) {
    for (let cluster = 0; cluster < k; cluster++) {
      distances[row * k + cluster] = squaredDistance(points, row * width, centers, cluster * width, width);
    }
  }
}

function nearest(distances: Float64Array, n: number, k: number): Int32Array<ArrayBuffer> {
  const labels = new Int32Array(n);
  for (let row = 0; row < n; row++) {
    let best = 0;
    for (let cluster = 1; cluster < k; cluster++) {
      if (distances[row * k + cluster]! < distances[row * k + best]!) best = cluster;
    }
    labels[row] = best;
  }
  return labels;
}

/** Moves a center to the mean of its members; says whether it has any. */
function moveToMean(
  points: Float64Array,
  centers: Float64Array,
  labels: Int32Array,
  n: number,
  width: number,
  cluster: number,
): boolean {
  const sum = new Float64Array(width);
  let members = 0;
  for (let row = 0; row < n; row++) {
    if (labels[row] !== cluster) continue;
    members += 1;
    for (let i = 0; i < width; i++) sum[i]! += points[row * width + i]!;
  }
  if (members === 0) return false;
  for (let i = 0; i < width; i++) centers[cluster * width + i] = sum[i]! / members;
  return true;
}

/** The row whose nearest center is farthest. */
function farthestRow(distances: Float64Array, n: number, k: number): number {
  let best = 0;
  let bestDistance = Number.NEGATIVE_INFINITY;
  for (let row = 0; row < n; row++) {
    let smallest = Number.POSITIVE_INFINITY;
    for (let cluster = 0; cluster < k; cluster++)
      smallest = Math.min(smallest, distances[row * k + cluster]!);
    if (smallest > bestDistance) {
      bestDistance = smallest;
      best = row;
    }
  }
  return best;
}
