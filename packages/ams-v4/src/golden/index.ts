import type { GoldenPart } from '@palimpsest/base/golden';
import { attentionCase } from './attention-case.js';
import { clozeCase } from './cloze-case.js';
import { contextEncoderCase, timeEncoderCase, topicEncoderCase } from './encoder-cases.js';
import { keyValueCase } from './kv-case.js';
import { memoryCase } from './memory-case.js';
import { retrievalCase } from './retrieval-case.js';
import { slotsCase } from './slots-case.js';
import statements from './statements.json';
import { lossesCase, trainerCase } from './training-cases.js';

/** Recomputes every golden case of this package, and what cases say in words only. */
export const goldenHandlers: readonly GoldenPart[] = [
  timeEncoderCase,
  topicEncoderCase,
  contextEncoderCase,
  attentionCase,
  memoryCase,
  lossesCase,
  trainerCase,
  retrievalCase,
  slotsCase,
  clozeCase,
  keyValueCase,
  ...statements,
];
