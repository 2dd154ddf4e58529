import { featureForms, type OsamConfig, type OsamOptions } from '../config.js';

/** Every form that can compute a configuration. */
export function applicableForms(options: OsamOptions): OsamConfig['form'][] {
  const named = featureForms.filter((form) => form !== 'auto');
  return options.featureScale === 'rms' ? named.filter((form) => form !== 'bilinear') : named;
}
