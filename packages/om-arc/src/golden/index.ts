import type { GoldenHandler } from '@palimpsest/base/golden';
import { arcCase } from './arc-case.js';
import { dataCase } from './data-case.js';
import { generateCase } from './generate-case.js';
import { mlpCase } from './mlp-case.js';
import { improvedCase, modelCase, streamingCase } from './model-case.js';
import { ropeCase } from './rope-case.js';
import { trainCase } from './train-case.js';

/** Golden cases of this package, one handler per kind. */
export const goldenHandlers: readonly GoldenHandler[] = [
  arcCase,
  mlpCase,
  ropeCase,
  modelCase,
  improvedCase,
  streamingCase,
  generateCase,
  trainCase,
  dataCase,
];
