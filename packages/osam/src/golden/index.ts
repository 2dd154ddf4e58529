import type { GoldenPart } from '@palimpsest/base/golden';
import { generateHandler } from './generate.js';
import { languageModelHandlers } from './language-model.js';
import { loaderHandler } from './loader.js';
import { samplingHandler } from './sampling.js';
import statements from './statements.json';
import { stepHandler } from './step.js';
import { trainHandler } from './train.js';

/** Handlers of every kind of golden case of OSAM, and what cases say in words only. */
export const goldenHandlers: readonly GoldenPart[] = [
  stepHandler,
  ...languageModelHandlers,
  trainHandler,
  generateHandler,
  samplingHandler,
  loaderHandler,
  ...statements,
];
