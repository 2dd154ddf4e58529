import { convolutionCase } from './convolution-case.js';
import { countSketchCase } from './count-sketch-case.js';
import { phaseCase } from './phase-case.js';
import { tensorSketchCase } from './tensor-sketch-case.js';
import type { ParityHandler } from './types.js';

/** Handlers of the golden cases of sketches, by kind. */
export const parityHandlers: readonly ParityHandler[] = [
  countSketchCase,
  convolutionCase,
  tensorSketchCase,
  phaseCase,
];
