import type { GoldenHandler } from '@palimpsest/base/golden';
import { convolutionCase } from './convolution-case.js';
import { countSketchCase } from './count-sketch-case.js';
import { phaseCase } from './phase-case.js';
import { tensorSketchCase } from './tensor-sketch-case.js';

/** Handlers of the golden cases of sketches, by kind. */
export const goldenHandlers: readonly GoldenHandler[] = [
  countSketchCase,
  convolutionCase,
  tensorSketchCase,
  phaseCase,
];
