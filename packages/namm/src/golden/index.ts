import type { GoldenHandler } from '@palimpsest/base/golden';
import { baseLmCase } from './base-lm-case.js';
import { cmaEsCase } from './cma-es-case.js';
import { evolveLmCase } from './evolve-lm-case.js';
import { generateCase, raggedCase } from './managed-cases.js';
import { metricsCase } from './metrics-case.js';
import { openNammCase } from './open-namm-case.js';
import { policyCase } from './policy-case.js';
import { reductionCase } from './reduction-case.js';
import { bamCase, mlpCase } from './scorer-cases.js';
import { seedTransformerCase } from './seed-transformer-case.js';
import { selectionCase } from './selection-case.js';
import { spectrogramCase } from './spectrogram-case.js';
import { statisticsCase } from './statistics-case.js';

/** Golden cases of this package, one handler per kind. */
export const goldenHandlers: readonly GoldenHandler[] = [
  spectrogramCase,
  reductionCase,
  statisticsCase,
  bamCase,
  mlpCase,
  selectionCase,
  policyCase,
  openNammCase,
  seedTransformerCase,
  baseLmCase,
  generateCase,
  raggedCase,
  cmaEsCase,
  metricsCase,
  evolveLmCase,
];
