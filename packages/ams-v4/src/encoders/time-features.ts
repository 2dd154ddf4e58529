import { tf } from '@palimpsest/tensor-core';
import type { MemoryConfig } from '../config.js';

/** Numbers of the clock: time of writing, time since the last use, number of uses. */
export const TIME_SCALARS = 3;

/** Sines and cosines of one scalar. */
const waveCount = (dTime: number): number => Math.max(4, 2 * Math.floor((dTime + 1) / 2));

/** Numbers per row that `timeFeatures` gives. */
export function timeFeatureCount({
  dTime,
  timeFeatures,
}: Pick<MemoryConfig, 'dTime' | 'timeFeatures'>): number {
  return TIME_SCALARS * waveCount(dTime) + (timeFeatures === 'octave' ? TIME_SCALARS : 0);
}

/**
 * Angular speeds, float32 at every step: `reference` rises from 1 to 10⁴, which makes whole time stamps alias; `octave`
 * falls from 1 to 10⁻⁴, so that the slow ones order a whole history (DERIVATION.md, "The clock").
 */
export function timeFrequencies(dTime: number, kind: MemoryConfig['timeFeatures']): Float32Array {
  const half = waveCount(dTime) / 2;
  const step = Math.fround(Math.log(1e4) / (half - 1));
  const sign = kind === 'octave' ? -1 : 1;
  return Float32Array.from({ length: half }, (_, i) => Math.exp(sign * Math.fround(i * step)));
}

/**
 * Features of the clock: of each scalar its sines, then its cosines; `octave` adds log(1 + s) of each scalar at the end.
 * @param scalars `[rows, 3]`
 * @returns `[rows, timeFeatureCount]`
 */
export function timeFeatures(
  scalars: tf.Tensor,
  { dTime, timeFeatures: kind }: Pick<MemoryConfig, 'dTime' | 'timeFeatures'>,
): tf.Tensor {
  const rows = scalars.shape[0]!;
  const angles = tf.mul(tf.expandDims(scalars, 2), tf.tensor1d(timeFrequencies(dTime, kind)));
  const waves = tf.concat([tf.sin(angles), tf.cos(angles)], 2);
  const flat = tf.reshape(waves, [rows, TIME_SCALARS * waveCount(dTime)]);
  return kind === 'octave' ? tf.concat([flat, tf.log1p(scalars)], 1) : flat;
}
