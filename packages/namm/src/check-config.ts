import { InputError } from '@palimpsest/tensor-core';
import type { NAMMConfig } from './config.js';

type Rule = (config: NAMMConfig, given: Readonly<Record<string, unknown>>) => string | undefined;

const isMlp = ({ scorer }: NAMMConfig) => scorer === 'mlp' || scorer === 'linear';

/** The longest window, and hence what the attention rows of a token must reach back. */
export const longestWindow = ({ nFft, scales }: Pick<NAMMConfig, 'nFft' | 'scales'>): number =>
  scales ? Math.max(...scales) : nFft;

/** What options must be together; each rule gives one sentence where it is broken. */
const RULES: readonly Rule[] = [
  ({ updateInterval, hopLength }) =>
    updateInterval % hopLength !== 0
      ? `updateInterval is a multiple of hopLength, but ${updateInterval} is none of ${hopLength}.`
      : undefined,
  ({ updateInterval, maxTokensPerForward }) =>
    maxTokensPerForward !== null && updateInterval % maxTokensPerForward !== 0
      ? `maxTokensPerForward divides updateInterval, but ${maxTokensPerForward} does not divide ${updateInterval}; choose a divisor, or null.`
      : undefined,
  (config) => {
    const longest = longestWindow(config);
    const carry = longest - config.hopLength;
    const shortest = config.scales ? Math.min(...config.scales) : config.nFft;
    if (config.hopLength > shortest) {
      return `hopLength is at most the window's length, but ${config.hopLength} exceeds ${shortest}.`;
    }
    return config.updateInterval < carry
      ? `updateInterval is at least nFft - hopLength, ${carry}, but ${config.updateInterval} was given.`
      : undefined;
  },
  ({ window, nFft, scales }) => {
    if (!Array.isArray(window)) return undefined;
    if (scales) return 'A window given as a list has one length; name one where several scales are used.';
    return window.length !== nFft
      ? `A given window has nFft weights, ${nFft}, but ${window.length} were given.`
      : undefined;
  },
  ({ bam: { hiddenDim, numHeads, useRope } }) => {
    if (hiddenDim % numHeads !== 0) {
      return `bam.hiddenDim is a multiple of bam.numHeads, but ${hiddenDim} is none of ${numHeads}.`;
    }
    return useRope && (hiddenDim / numHeads) % 2 !== 0
      ? `Rotary positions turn pairs, but a head of bam is ${hiddenDim / numHeads} wide; choose an even width.`
      : undefined;
  },
  ({ bam: { mlpDepth, mlpHidden } }) =>
    mlpDepth > 1 && mlpHidden === null
      ? `A readout of depth ${mlpDepth} needs bam.mlpHidden, its hidden width.`
      : undefined,
  (config) => {
    const { bam, recencyEmbedDim } = config;
    return bam.mlpDepth > 1 && bam.mlpResidualFirst && bam.mlpHidden !== featureWidth(config)
      ? `bam.mlpResidualFirst adds the features, ${featureWidth(config)} wide with an age of ${recencyEmbedDim}, to a hidden layer of ${bam.mlpHidden}; make the widths equal or turn it off.`
      : undefined;
  },
  (config) => {
    const { mlp } = config;
    const width = featureWidth(config);
    return isMlp(config) && mlp.depth > 1 && mlp.residualFirst && (mlp.hidden ?? width) !== width
      ? `mlp.residualFirst adds the features, ${width} wide, to a hidden layer of ${mlp.hidden}; leave mlp.hidden out or turn it off.`
      : undefined;
  },
  (config) =>
    !isMlp(config) && config.scoreEmaCoeff !== null
      ? `scoreEmaCoeff averages scores of single frames, which only the scorers 'mlp' and 'linear' give; leave it out with '${config.scorer}'.`
      : undefined,
  (config) =>
    isMlp(config) && config.scoreEmaCoeff === null
      ? `The scorer '${config.scorer}' scores every frame, so that scoreEmaCoeff is needed to bring them together.`
      : undefined,
  ({ parameterisation, bam, scorer }) => {
    if (parameterisation !== 'folded') return undefined;
    const foldable = scorer === 'bam' && bam.numHeads === 1 && bam.residual && bam.mult && bam.mlpDepth === 1;
    return !foldable || bam.multNonlinearity !== null || bam.useRope
      ? "Folded parameters exist for the scorer 'bam' with one head, residual, mult, no nonlinearity, no rotary positions and a linear readout; choose the parameterisation 'standard'."
      : undefined;
  },
  ({ bam: { window, maskingStrategy } }) =>
    window !== null && maskingStrategy !== 'backward'
      ? `bam.window limits how far a token looks at newer ones, which needs the maskingStrategy 'backward', not ${JSON.stringify(maskingStrategy)}.`
      : undefined,
  (config) => {
    if (config.hierarchy === null) return undefined;
    if (isMlp(config)) {
      return `hierarchy scores blocks by attention among them, which the scorer '${config.scorer}' has not; choose 'bam' or leave it out.`;
    }
    if (config.selection.kind === 'topk') {
      return "hierarchy lets blocks below a threshold fall, but the selection 'topk' has none; choose 'binary' or 'dynamic'.";
    }
    return config.eviction === 'parity'
      ? "hierarchy is ours, and the eviction 'parity' fills heads up with tokens of fallen blocks; choose 'ragged'."
      : undefined;
  },
  ({ selection, paramSharing }) =>
    selection.kind === 'dynamic' && paramSharing !== 'shared'
      ? `The selection 'dynamic' learns one threshold, which needs paramSharing 'shared', not '${paramSharing}'.`
      : undefined,
  ({ adaptive, eviction }) =>
    adaptive !== null && eviction === 'parity'
      ? "adaptive is ours, and the eviction 'parity' lets all texts of a batch keep equally many; choose 'ragged'."
      : undefined,
  ({ mode, eviction }, given) =>
    mode === 'parityOfficial' && given.eviction !== undefined && eviction !== 'parity'
      ? "The mode 'parityOfficial' evicts as published; leave eviction out, or choose the mode 'improved'."
      : undefined,
];

/** @throws InputError for the first rule that is broken. */
export function checkTogether(config: NAMMConfig, given: Readonly<Record<string, unknown>>): void {
  for (const rule of RULES) {
    const sentence = rule(config, given);
    if (sentence !== undefined) throw new InputError(sentence);
  }
}

/** Width of the spectrum of one token: the bins of every scale. */
export function spectrumWidth({
  nFft,
  scales,
  outputMagnitudes,
}: Pick<NAMMConfig, 'nFft' | 'scales' | 'outputMagnitudes'>): number {
  const bins = (scales ?? [nFft]).reduce((sum, length) => sum + length / 2 + 1, 0);
  return outputMagnitudes ? bins : 2 * bins;
}

/** Width E of a token's features: the embedded age, then the spectrum. */
export const featureWidth = (
  config: Pick<NAMMConfig, 'nFft' | 'scales' | 'outputMagnitudes' | 'recencyEmbedDim'>,
): number => config.recencyEmbedDim + spectrumWidth(config);
