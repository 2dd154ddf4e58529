import { tf } from '@palimpsest/tensor-core';
import { type CompactSketch, spreadBuckets } from '../../tables.js';
import { complexDft, complexMultiply, realPart } from './complex-dft.js';
import type { FeatureForm, FeatureOutput } from './feature-form.js';

/** Compact complex rows [..., 2 u] as full signals [..., m, 2]. */
export function fullSignal(x: tf.Tensor, sketch: CompactSketch): tf.Tensor {
  const width = sketch.used.length;
  const lead = x.shape.slice(0, -1);
  const parts = spreadBuckets(tf.reshape(x, [...lead, 2, width]), sketch.place);
  const axes = lead.map((_, axis) => axis);
  return tf.transpose(parts, [...axes, lead.length + 1, lead.length]);
}

/** Unitary spectra of compact complex rows: [..., 2 u] to [..., m, 2]. */
export function unitarySpectrum(x: tf.Tensor, sketch: CompactSketch): tf.Tensor {
  return tf.mul(complexDft(fullSignal(x, sketch)), 1 / Math.sqrt(sketch.sketchDim));
}

/** Forms F1 (inverse transform, then W_1) and F2 (the inverse folded into the spectrum of W_1 by Parseval). */
export const fftForm: FeatureForm = (input, plan) => {
  const { query, prefix, spectrum, weight, energy, wantPsi } = input;
  const m = plan.key.sketchDim;
  const unitary = spectrum ?? unitarySpectrum(prefix, plan.key);
  const product = tf.mul(complexMultiply(complexDft(fullSignal(query, plan.query)), unitary), Math.sqrt(m));
  if (energy === 'none' && !wantPsi) return { projected: projectSpectrum(product, weight, 1 / m) };
  const psi = realPart(complexDft(product, true));
  return withFeatures(psi, weight, energy, wantPsi);
};

function withFeatures(
  psi: tf.Tensor,
  weight: tf.Tensor,
  energy: 'differentiable' | 'reported' | 'none',
  wantPsi: boolean,
): FeatureOutput {
  return {
    projected: tf.matMul(psi as tf.Tensor2D, weight as tf.Tensor2D, false, true),
    energy: energy !== 'none' ? tf.sum(tf.square(psi), 1) : undefined,
    psi: wantPsi ? psi : undefined,
  };
}

/** Re sum_f Z_f conj(F(W)_f) times a factor: spectra [N, m, 2] and weights [hidden, m] to [N, hidden]. */
function projectSpectrum(product: tf.Tensor, weight: tf.Tensor, factor: number): tf.Tensor {
  const [hidden, m] = weight.shape as [number, number];
  const signal = tf.concat([tf.expandDims(weight, 2), tf.zeros([hidden, m, 1])], 2);
  const spectrum = tf.reshape(tf.mul(complexDft(signal), factor), [hidden, 2 * m]);
  return tf.matMul(tf.reshape(product, [-1, 2 * m]) as tf.Tensor2D, spectrum as tf.Tensor2D, false, true);
}

/** Form F3: forward transforms as matrix products over the used buckets, the inverse folded into W_1's spectrum. */
export const dftForm: FeatureForm = (input, plan) => {
  const { query, prefix, weight, energy, wantPsi } = input;
  const m = plan.key.sketchDim;
  const queries = halfSpectra(query, plan.query);
  const keys = halfSpectra(prefix, plan.key);
  const product = tf.sub(complexMultiply(queries.re, keys.re), complexMultiply(queries.im, keys.im));
  const multiplicity = tf.tensor3d(frequencyMultiplicity(m), [1, bins(m), 1]);
  const weighted = tf.mul(product, multiplicity);
  const projected = tf.matMul(
    tf.reshape(weighted, [-1, 2 * bins(m)]) as tf.Tensor2D,
    halfWeightSpectrum(weight) as tf.Tensor2D,
    false,
    true,
  );
  return {
    projected,
    energy: energy !== 'none' ? tf.mul(tf.sum(tf.mul(weighted, product), [1, 2]), 1 / m) : undefined,
    psi: wantPsi ? fromHalfSpectrum(weighted, m) : undefined,
  };
};

const bins = (m: number) => Math.floor(m / 2) + 1;

/** How often a bin of the half spectrum of a real signal occurs in the full one. */
function frequencyMultiplicity(m: number): Float32Array {
  return Float32Array.from({ length: bins(m) }, (_, bin) => (bin === 0 || 2 * bin === m ? 1 : 2));
}

/** Half spectra [N, bins, 2] of the real and of the imaginary part of compact rows [N, 2 u]. */
function halfSpectra(x: tf.Tensor, sketch: CompactSketch): { re: tf.Tensor; im: tf.Tensor } {
  const width = sketch.used.length;
  const m = sketch.sketchDim;
  const basis = new Float32Array(width * bins(m) * 2);
  sketch.used.forEach((bucket, row) => {
    for (let bin = 0; bin < bins(m); bin++) {
      const angle = (2 * Math.PI * ((bucket * bin) % m)) / m;
      basis[(row * bins(m) + bin) * 2] = Math.cos(angle);
      basis[(row * bins(m) + bin) * 2 + 1] = -Math.sin(angle);
    }
  });
  const matrix = tf.tensor2d(basis, [width, bins(m) * 2]);
  const spectra = tf.reshape(tf.matMul(tf.reshape(x, [-1, width]) as tf.Tensor2D, matrix), [
    -1,
    2,
    bins(m),
    2,
  ]);
  const part = (index: number) =>
    tf.reshape(tf.slice(spectra, [0, index, 0, 0], [-1, 1, -1, -1]), [-1, bins(m), 2]);
  return { re: part(0), im: part(1) };
}

/** F(W_1) / m over the half spectrum, [hidden, 2 bins]. */
function halfWeightSpectrum(weight: tf.Tensor): tf.Tensor {
  const [hidden, m] = weight.shape as [number, number];
  const signal = tf.concat([tf.expandDims(weight, 2), tf.zeros([hidden, m, 1])], 2);
  const half = tf.slice(complexDft(signal), [0, 0, 0], [-1, bins(m), -1]);
  return tf.reshape(tf.mul(half, 1 / m), [hidden, 2 * bins(m)]);
}

/** The real signal whose half spectrum, already weighted by multiplicity, is given: [N, bins, 2] to [N, m]. */
function fromHalfSpectrum(weighted: tf.Tensor, m: number): tf.Tensor {
  const basis = new Float32Array(bins(m) * 2 * m);
  for (let bin = 0; bin < bins(m); bin++) {
    for (let bucket = 0; bucket < m; bucket++) {
      const angle = (2 * Math.PI * ((bucket * bin) % m)) / m;
      basis[bin * 2 * m + bucket] = Math.cos(angle) / m;
      basis[(bin * 2 + 1) * m + bucket] = -Math.sin(angle) / m;
    }
  }
  const rows = tf.reshape(weighted, [-1, 2 * bins(m)]) as tf.Tensor2D;
  return tf.matMul(rows, tf.tensor2d(basis, [2 * bins(m), m]));
}
