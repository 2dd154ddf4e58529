export {
  type NAMMConfig,
  type NAMMOptions,
  type NonLinearity,
  nammConfigSchema,
  resolveNAMMConfig,
  type SeedOptions,
} from './config.js';
export { spectrogram, spectrum, transformMatrix } from './spectrum.js';
export { windowWeights } from './window.js';
