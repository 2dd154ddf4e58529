export * from './arc.js';
export {
  type Activation,
  activations,
  type OmConfig,
  type OmOptions,
  omConfigSchema,
  type RopeOptions,
  resolveConfig,
} from './config.js';
export type { OmState } from './continuation/state.js';
export type { Form, SegmentsOptions } from './forms.js';
export { type CallOptions, initialStates, OmLLM, type OmResult } from './om-llm.js';
export type * from './parameters.js';
export { contextIds, isCausal, paddedVocabulary, stateSize } from './plan.js';
export { createOmModel, type OmModel } from './sequence-model.js';
export type { NamedTensors } from './weights/correspondence.js';
export { loadReferenceWeights, toReferenceWeights } from './weights/model-keys.js';
