import type { Place } from '@palimpsest/base';
import { type HostNorm, sigmoid } from './weights.js';

const EPSILON = 1e-5;

/** LayerNorm in place, head by head, with gains and biases of all channels. */
export function normaliseHeads(
  numbers: Float32Array,
  x: Place,
  { gain, bias }: HostNorm,
  heads: number,
  depth: number,
): void {
  for (let from = 0; from < heads * depth; from += depth) {
    let mean = 0;
    for (let i = from; i < from + depth; i++) mean += numbers[x + i]! / depth;
    let variance = 0;
    for (let i = from; i < from + depth; i++) variance += (numbers[x + i]! - mean) ** 2 / depth;
    const inverse = 1 / Math.sqrt(variance + EPSILON);
    for (let i = from; i < from + depth; i++) {
      numbers[x + i] = (numbers[x + i]! - mean) * inverse * numbers[gain + i]! + numbers[bias + i]!;
    }
  }
}

/** Leaves of a value, `[heads * depth]`, the share that every head writes, given raw as `[heads]`. */
export function shareValue(
  numbers: Float32Array,
  value: Place,
  raw: Place,
  heads: number,
  depth: number,
): void {
  for (let head = 0; head < heads; head++) {
    const share = sigmoid(numbers[raw + head]!);
    const from = value + head * depth;
    for (let i = from; i < from + depth; i++) numbers[i]! *= share;
  }
}
