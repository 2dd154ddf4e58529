import type { GoldenHandler } from '@palimpsest/base/golden';
import { cmaEsCase } from './cma-es-case.js';
import { spectrogramCase } from './spectrogram-case.js';

/** Golden cases of this package, one handler per kind. */
export const goldenHandlers: readonly GoldenHandler[] = [spectrogramCase, cmaEsCase];
