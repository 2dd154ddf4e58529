import type { OsamOptions } from '../config.js';
import type { TrainStepOptions } from '../train-step.js';

/** A named change of the configuration, the training or its data. */
export interface Variant {
  readonly name: string;
  readonly options: Partial<OsamOptions>;
  readonly training?: TrainStepOptions;
  /** Share of training inputs to replace by random ids. */
  readonly corrupt?: number;
}

const reference: Partial<OsamOptions> = { mode: 'parity' };

/** Models of the same size to compare with (osam.md 12.6). */
export const comparisonVariants: readonly Variant[] = [
  { name: 'no memory', options: { featurePath: false, enableValuePath: false } },
  { name: 'reference', options: reference },
  { name: 'improved', options: {} },
  { name: 'improved, value path only (plain linear attention)', options: { featurePath: false } },
];

/** The documented ablations of the reference (osam.md 12.2). */
export const referenceAblations: readonly Variant[] = [
  { name: 'reference', options: reference },
  ...[2, 4, 8].map((kUpdate) => ({ name: `kUpdate ${kUpdate}`, options: { ...reference, kUpdate } })),
  { name: 'freqCache', options: { ...reference, freqCache: true } },
  { name: 'no value path', options: { ...reference, enableValuePath: false } },
  { name: 'phases frozen', options: reference, training: { freezePhase: true } },
  ...[0.1, 0.2].map((corrupt) => ({ name: `corruption ${corrupt}`, options: reference, corrupt })),
];

/**
 * From the reference to the improved block one option at a time, and the improved block without each. The sketch lengths are
 * meant for a base of 256.
 */
export const improvementAblations: readonly Variant[] = [
  { name: 'reference', options: reference },
  { name: '+ full gradient flow', options: { ...reference, gradientFlow: 'full' } },
  { name: '+ rms features', options: { ...reference, gradientFlow: 'full', featureScale: 'rms' } },
  {
    name: '+ independent tables',
    options: { ...reference, gradientFlow: 'full', featureScale: 'rms', featureHash: 'independent' },
  },
  { name: 'improved without key mix', options: { keyMix: false } },
  { name: 'improved', options: {} },
  { name: 'improved, detached gradients', options: { gradientFlow: 'detached' } },
  { name: 'improved, shared table', options: { featureHash: 'shared' } },
  { name: 'improved, reference feature scale', options: { featureScale: 'reference' } },
  { name: 'improved, sketched value kernel', options: { valueKernel: 'sketched' } },
  { name: 'improved, scalar omega', options: { omegaMode: 'scalar' } },
  { name: 'improved, reference gates', options: { gateCapFeat: 0.25, gateCapVal: 0.25, gateInit: -2.5 } },
  { name: 'improved, value path only', options: { featurePath: false } },
  { name: 'improved, feature path only', options: { enableValuePath: false } },
  { name: 'improved, half the sketch', options: { sketchDim: 128 } },
  { name: 'improved, twice the sketch', options: { sketchDim: 512 } },
  { name: 'improved, two blocks', options: { layers: 2 } },
];
