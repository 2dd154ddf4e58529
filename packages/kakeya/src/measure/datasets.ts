import { type Matrix, matrix, rowOf } from '../linalg/matrix.js';
import { Random } from '../linalg/random.js';

/** Rows to learn from and held-out rows of one family of vectors. */
export interface VectorSplit {
  readonly name: string;
  readonly train: Matrix;
  readonly test: Matrix;
}

export interface SyntheticOptions {
  /** Width; default 256. */
  readonly dimension?: number;
  /** Training rows; default 4000. */
  readonly trainRows?: number;
  /** Held-out rows; default 1000. */
  readonly testRows?: number;
  readonly seed?: number;
}

/** Eight Gaussian factors mixed into D dimensions, plus noise of standard deviation 0.1. */
export function rankEightVectors(options: SyntheticOptions = {}): VectorSplit {
  const { dimension, random } = setup(options);
  const mixing = matrix(8, dimension, random.normals(8 * dimension));
  return generate('rank 8 + noise', options, () => {
    const row = random.normals(dimension, 0.1);
    for (let i = 0; i < 8; i++) addRow(row, mixing, i, random.normal());
    return row;
  });
}

/** Gaussian with standard deviation 1/sqrt(i) along min(200, D) random orthonormal directions. */
export function powerLawVectors(options: SyntheticOptions = {}): VectorSplit {
  const { dimension, random } = setup(options);
  const count = Math.min(200, dimension);
  const directions = orthonormalRows(count, dimension, random);
  return generate('power law 1/sqrt(i)', options, () => {
    const row = new Float64Array(dimension);
    for (let i = 0; i < count; i++) addRow(row, directions, i, random.normal() / Math.sqrt(i + 1));
    return row;
  });
}

/** Forty Gaussian cluster centers and a spread of a third of their length inside a common 30-dimensional space. */
export function clusteredVectors(options: SyntheticOptions = {}): VectorSplit {
  const { dimension, random } = setup(options);
  const centers = matrix(40, dimension, random.normals(40 * dimension));
  const count = Math.min(30, dimension);
  const directions = orthonormalRows(count, dimension, random);
  const spread = 0.35 * Math.sqrt(dimension / count);
  return generate('40 clusters + 30-dim spread', options, () => {
    const row = new Float64Array(dimension);
    addRow(row, centers, random.integer(40), 1);
    for (let i = 0; i < count; i++) addRow(row, directions, i, spread * random.normal());
    return row;
  });
}

function setup(options: SyntheticOptions): { dimension: number; random: Random } {
  return { dimension: options.dimension ?? 256, random: new Random(options.seed ?? 1) };
}

function generate(name: string, options: SyntheticOptions, draw: () => Float64Array): VectorSplit {
  const dimension = options.dimension ?? 256;
  const rows = (count: number) => {
    const result = matrix(count, dimension, new Float32Array(count * dimension));
    for (let i = 0; i < count; i++) result.data.set(draw(), i * dimension);
    return result;
  };
  return { name, train: rows(options.trainRows ?? 4000), test: rows(options.testRows ?? 1000) };
}

function addRow(target: Float64Array, m: Matrix, index: number, factor: number): void {
  const row = rowOf(m, index);
  for (let j = 0; j < target.length; j++) target[j]! += factor * row[j]!;
}

/** Gram-Schmidt of Gaussian rows. */
function orthonormalRows(count: number, dimension: number, random: Random): Matrix {
  const result = matrix(count, dimension, random.normals(count * dimension));
  for (let i = 0; i < count; i++) {
    const row = rowOf(result, i) as Float64Array;
    for (let k = 0; k < i; k++) {
      const other = rowOf(result, k);
      let overlap = 0;
      for (let j = 0; j < dimension; j++) overlap += row[j]! * other[j]!;
      addRow(row, result, k, -overlap);
    }
    const length = Math.hypot(...row);
    for (let j = 0; j < dimension; j++) row[j]! /= length;
  }
  return result;
}
