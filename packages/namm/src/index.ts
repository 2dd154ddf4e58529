export {
  type NAMMConfig,
  type NAMMOptions,
  type NonLinearity,
  nammConfigSchema,
  resolveNAMMConfig,
  type SeedOptions,
} from './config.js';
export { CmaEs, type CmaEsOptions, type CmaEsStats } from './evolution/cma-es/cma-es.js';
export type { CmaEsState } from './evolution/cma-es/cma-es-state.js';
export type { CovarianceKind, LearningRates } from './evolution/cma-es/strategy.js';
export { spectrogram, spectrum, transformMatrix } from './spectrum.js';
export { windowWeights } from './window.js';
