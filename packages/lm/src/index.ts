export type { RandomSource } from './random-source.js';
export * from './sequence-model.js';
