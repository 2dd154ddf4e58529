import type { EvaluationRegistry } from '../../../src/cells/task.js';

export declare const registry: EvaluationRegistry;
