import type { GoldenHandler } from '@palimpsest/base/golden';
import { generateHandler } from './generate.js';
import { languageModelHandlers } from './language-model.js';
import { loaderHandler } from './loader.js';
import { samplingHandler } from './sampling.js';
import { stepHandler } from './step.js';
import { trainHandler } from './train.js';

/** Handlers of every kind of golden case of OSAM. */
export const goldenHandlers: readonly GoldenHandler[] = [
  stepHandler,
  ...languageModelHandlers,
  trainHandler,
  generateHandler,
  samplingHandler,
  loaderHandler,
];
