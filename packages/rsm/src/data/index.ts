export * from './chunk-example.js';
export { ChunkedDocument } from './chunked-document.js';
export { ChunkedSequences, type ChunkedSequencesOptions } from './chunked-sequences.js';
export * from './needle.js';
