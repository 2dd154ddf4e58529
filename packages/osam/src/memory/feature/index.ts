import type { FeatureFormName, OsamConfig } from '../../config.js';
import type { BlockPlan } from '../../tables.js';
import { bilinearForm } from './bilinear.js';
import type { FeatureForm } from './feature-form.js';
import { dftForm, fftForm } from './fourier.js';
import { pairsForm } from './pairs.js';

export type ParallelFormName = Exclude<FeatureFormName, 'auto' | 'sequential'>;

const forms: Record<ParallelFormName, FeatureForm> = {
  fft: fftForm,
  dft: dftForm,
  bilinear: bilinearForm,
  pairs: pairsForm,
};

export function featureFormOf(name: ParallelFormName): FeatureForm {
  return forms[name];
}

/** Widest model for which the direct convolution beats the fast transform. */
const WIDEST_DIRECT = 500;

/**
 * The form for a configuration (DERIVATION.md, "Feature path"): what it names, or for 'auto' the pairs on engines that gather well, and on
 * engines that are good at matrix products alone the transform by matrices for short sketches, else the bilinear form.
 */
export function chooseForm(config: OsamConfig, plan: BlockPlan): ParallelFormName {
  if (config.form !== 'auto' && config.form !== 'sequential') return config.form;
  if (config.target === 'native') return config.dModel > WIDEST_DIRECT ? 'fft' : 'pairs';
  const used = plan.key.used.length;
  const hidden = config.readoutHidden;
  const short = config.sketchDim < (used * hidden) / (4 + hidden / used);
  return short || config.featureScale === 'rms' ? 'dft' : 'bilinear';
}
