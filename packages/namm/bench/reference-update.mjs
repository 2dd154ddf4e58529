// An update as the published program computes it (repository SakanaAI/evo-memory), in this house's own words and on its engine:
// raw attention rows are held until the update, all frames of all tokens at once, a matrix of all pairs with its mask, a full sort.

import { softmax, tf } from '@palimpsest/tensor-core';
import { selectTokens } from '../dist/index.js';

const HEADS = 4;

/** Waves of a window, `[samples, bins]` each. */
function waves(length) {
  const bins = length / 2 + 1;
  const at = (of) =>
    tf.tensor2d(
      Float32Array.from({ length: length * bins }, (_, index) => {
        const [m, k] = [Math.floor(index / bins), index % bins];
        return of((2 * Math.PI * k * m) / length);
      }),
      [length, bins],
    );
  return [at(Math.cos), at((angle) => -Math.sin(angle))];
}

/**
 * Averaged spectra of an interval.
 * @param rows `[1, query heads, queries, tokens]`, as they came
 * @param block what the update before has left of its rows, `[1, heads, old tokens, queries]`
 * @param average `[1, heads, old tokens, bins]`
 */
export function referenceFeatures({ nFft, hopLength, emaCoeff }, rows, block, average) {
  const [, queryHeads, queries, tokens] = rows.shape;
  const grouped = tf.mean(tf.reshape(rows, [1, HEADS, queryHeads / HEADS, queries, tokens]), 2);
  const signal = tf.transpose(grouped, [0, 1, 3, 2]);
  const old = block.shape[2];
  const carry = nFft - hopLength;
  const more = (x) =>
    tf.pad(x, [
      [0, 0],
      [0, 0],
      [0, tokens - old],
      [0, 0],
    ]);
  const tail = tf.slice(block, [0, 0, 0, block.shape[3] - carry], [1, HEADS, old, carry]);
  const samples = tf.concat([more(tail), signal], 3);
  const frames = queries / hopLength;
  const windows = tf.stack(
    Array.from({ length: frames }, (_, frame) =>
      tf.slice(samples, [0, 0, 0, frame * hopLength], [1, HEADS, tokens, nFft]),
    ),
    3,
  );
  const hann = Float32Array.from({ length: nFft }, (_, m) => 0.5 - 0.5 * Math.cos((2 * Math.PI * m) / nFft));
  const weighted = tf.reshape(tf.mul(windows, tf.tensor1d(hann)), [HEADS * tokens * frames, nFft]);
  const [cosines, sines] = waves(nFft);
  const [real, imaginary] = [tf.matMul(weighted, cosines), tf.matMul(weighted, sines)];
  const magnitudes = tf.sqrt(tf.add(tf.square(real), tf.square(imaginary)));
  const bins = nFft / 2 + 1;
  const decay = emaCoeff ** hopLength;
  const born = Float32Array.from({ length: tokens * frames }, (_, index) => {
    const [token, frame] = [Math.floor(index / frames), index % frames];
    const isBorn = frame >= Math.floor((token - (tokens - queries)) / hopLength);
    return isBorn ? (1 - decay) * decay ** (frames - 1 - frame) : 0;
  });
  const perFrame = tf.reshape(magnitudes, [1, HEADS, tokens, frames, bins]);
  const sum = tf.sum(tf.mul(perFrame, tf.tensor5d(born, [1, 1, tokens, frames, 1])), 3);
  return { average: tf.add(sum, more(tf.mul(average, emaCoeff ** queries))), block: signal };
}

/** Scores of the tokens: projections, all pairs under a mask, what was read, one number. */
export function referenceScores({ recencyEmbedDim, recencyMaxFreq, bam }, flat, average, positions) {
  const [, , tokens, bins] = average.shape;
  const half = recencyEmbedDim / 2;
  const speeds = Float32Array.from({ length: half }, (_, i) => recencyMaxFreq ** (-i / half));
  const places = tf.cast(positions, 'float32');
  const age = tf.expandDims(tf.sub(tf.max(places, 2, true), places), 3);
  const angles = tf.mul(age, tf.tensor1d(speeds));
  const features = tf.concat([tf.sin(angles), tf.cos(angles), average], 3);
  const [width, hidden] = [recencyEmbedDim + bins, bam.hiddenDim];
  let at = 0;
  const take = (...shape) => {
    const size = shape.reduce((a, b) => a * b);
    at += size;
    return tf.reshape(tf.slice(flat, [at - size], [size]), shape);
  };
  const [qkv, qkvBias] = [take(width, 3 * hidden), take(3 * hidden)];
  const [out, outBias] = [take(hidden, 2 * width), take(2 * width)];
  const [last, lastBias] = [take(width, 1), take(1)];
  const [query, key, value] = tf.split(tf.add(tf.matMul(features, qkv), qkvBias), 3, 3);
  const mask = new Float32Array(tokens * tokens);
  for (let i = 0; i < tokens; i++) mask.fill(-1e9, i * tokens, i * tokens + i);
  const logits = tf.mul(tf.matMul(query, key, false, true), 1 / Math.sqrt(hidden));
  const weights = softmax(tf.add(logits, tf.tensor4d(mask, [1, 1, tokens, tokens])));
  const read = tf.add(tf.matMul(tf.matMul(weights, value), out), outBias);
  const [added, factor] = tf.split(read, 2, 3);
  const mixed = tf.add(tf.mul(features, tf.add(1, factor)), added);
  return tf.reshape(tf.add(tf.matMul(mixed, last), lastBias), [1, HEADS, tokens]);
}

/** Every score is sorted, as published. */
export const referenceSelection = (scores) =>
  selectTokens(scores, { kind: 'binary', cacheSize: null, threshold: () => 0, parity: true });
