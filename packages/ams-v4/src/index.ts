export {
  type BundleTree,
  type BundleTrees,
  bundlesInit,
  ContextBundle,
  TimeBundle,
  TopicBundle,
} from './bundles.js';
export { lossWeights, type MemoryConfig, type MemoryOptions, memoryConfig, presets } from './config.js';
export { contentCentroids, normalisedRows } from './encoders/content-centroid.js';
