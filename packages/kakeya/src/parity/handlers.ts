import { CaseReader } from './case-reader.js';
import { runCompressedDomain, runRateDistortion, runTransformCoder } from './coder-cases.js';
import { runAccounting, runAlignment, runIncrementalPcaRidge, runKMeans, runPca } from './function-cases.js';
import { runRegistry } from './registry-cases.js';
import { runCodecV312, runRefit, runSet } from './set-cases.js';
import type { ParityHandler } from './types.js';

const runs: Readonly<Record<string, (reader: CaseReader) => void>> = {
  alignment: runAlignment,
  accounting: runAccounting,
  pca: runPca,
  'spherical-kmeans': runKMeans,
  'incremental-pca-ridge': runIncrementalPcaRidge,
  set: runSet,
  'codec-v312': runCodecV312,
  'refit-encode': runRefit,
  registry: runRegistry,
  'compressed-domain': runCompressedDomain,
  'transform-coder': runTransformCoder,
  'rate-distortion': runRateDistortion,
};

/** One handler per kind of golden case of the system "kakeya". */
export const parityHandlers: readonly ParityHandler[] = Object.entries(runs).map(([kind, run]) => ({
  system: 'kakeya',
  kind,
  run(testCase) {
    const reader = new CaseReader(testCase);
    run(reader);
    return reader.outputs;
  },
}));
