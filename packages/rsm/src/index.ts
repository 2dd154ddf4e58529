export { readReferenceFile, writeReferenceFile } from './checkpoint/reference-file.js';
export { type RsmConfig, type RsmOptions, resolveConfig, rsmConfigSchema } from './config.js';
export { inspectText, type TextInspection } from './inspect-text.js';
export { type RsmPreset, rsmPresets } from './presets.js';
export { createRsmModel, formatSummary, type RsmModel, type RsmSummary } from './sequence-model.js';
