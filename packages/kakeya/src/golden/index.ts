import type { GoldenHandler } from '@palimpsest/base/golden';
import { accountingCase } from './accounting-case.js';
import { alignmentCase } from './alignment-case.js';
import { compressedDomainCase, transformCoderCase } from './coder-cases.js';
import { incrementalPcaCase } from './incremental-pca-case.js';
import { kMeansCase } from './k-means-case.js';
import { pcaCase } from './pca-case.js';
import { rateDistortionCase } from './rate-distortion-case.js';
import { registryCase } from './registry-case.js';
import { codecV312Case, refitCase, setCase } from './set-cases.js';

/** Handlers of the golden cases of the codec, by kind. */
export const goldenHandlers: readonly GoldenHandler[] = [
  alignmentCase,
  accountingCase,
  pcaCase,
  kMeansCase,
  incrementalPcaCase,
  setCase,
  codecV312Case,
  refitCase,
  registryCase,
  compressedDomainCase,
  transformCoderCase,
  rateDistortionCase,
];
