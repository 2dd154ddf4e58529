import { type NAMMConfig, type NAMMOptions, resolveNAMMConfig } from '../config.js';

/** A window as the cases name it, where the decaying one is "ema(coeff 0.9)". */
export function windowOf(name: string): NAMMConfig['window'] {
  const decay = /^ema\(coeff (.*)\)$/.exec(name)?.[1];
  if (decay !== undefined) return { ema: Number(decay) };
  return name === 'average' || name === 'rectangular' ? name : 'hann';
}

/** Options of a policy as a case has them, under the older names of some. */
export function configOf(given: Readonly<Record<string, unknown>>, more: NAMMOptions = {}): NAMMConfig {
  const { normalisation, maxNewTokensPerForward, nammUpdateInterval, ...rest } = given;
  const known = Object.entries(rest).filter(([name]) => KNOWN.has(name));
  return resolveNAMMConfig(
    { ...Object.fromEntries(known), ...(normalisation === null && { normalise: false }) },
    { mode: 'parityOfficial', maxTokensPerForward: null, ...more },
  );
}

const KNOWN = new Set([
  'nFft',
  'hopLength',
  'emaCoeff',
  'recencyEmbedDim',
  'recencyMaxFreq',
  'startRecencyFrom',
  'bam',
  'selection',
  'updateInterval',
]);
