export { type DocumentStopRules, DocumentStops } from './document-stops.js';
export * from './generate.js';
export type { NextTokenReader } from './next-token-reader.js';
export { RecomputingReader } from './recomputing-reader.js';
export * from './sampling-filter.js';
export { SessionReader } from './session-reader.js';
