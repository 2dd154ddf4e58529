import type { GoldenPart } from '@palimpsest/base/golden';
import { accountingCase } from './accounting-case.js';
import { alignmentCase } from './alignment-case.js';
import { compressedDomainCase, transformCoderCase } from './coder-cases.js';
import { incrementalPcaCase } from './incremental-pca-case.js';
import { kMeansCase } from './k-means-case.js';
import { pcaCase } from './pca-case.js';
import { rateDistortionCase } from './rate-distortion-case.js';
import { registryCase } from './registry-case.js';
import { codecV312Case, refitCase, setCase } from './set-cases.js';
import statements from './statements.json';

/** Handlers of the golden cases of the codec, by kind, and what cases say in words only. */
export const goldenHandlers: readonly GoldenPart[] = [
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
  ...statements,
];
