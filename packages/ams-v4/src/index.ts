export { AgentMemory, createAgentMemory } from './agent/agent-memory.js';
export type {
  AddOptions,
  AgentMemoryOptions,
  AskedAnswer,
  AskOptions,
  MemoryHit,
  SearchOptions,
} from './agent/calls.js';
export type { MemoryFilter, MemoryRecord } from './agent/record.js';
export {
  type BundleTree,
  type BundleTrees,
  bundlesInit,
  ContextBundle,
  TimeBundle,
  TopicBundle,
} from './bundles.js';
export { lossWeights, type MemoryConfig, type MemoryOptions, memoryConfig, presets } from './config.js';
export type { ConversationAdapters, FeatureStandard } from './conversation/adapters.js';
export { loadConversation, saveConversation } from './conversation/adapters-folder.js';
export {
  type ConversationConfig,
  type ConversationOptions,
  conversationConfig,
} from './conversation/config.js';
export { featuresOf, type TextFeatures } from './conversation/features.js';
export { askedAgain } from './conversation/hops.js';
export { KeyValueMemory } from './conversation/key-value-memory.js';
export type {
  Answer,
  AnswerOptions,
  FoundMemory,
  MemoryPrefix,
  WriteOptions,
  WrittenMemory,
} from './conversation/memory-records.js';
export { integerCodec, type RowCodec } from './conversation/row-codec.js';
export {
  type TrainConversationOptions,
  type TrainingSession,
  trainConversation,
} from './conversation/train-conversation.js';
export { contentCentroids, normalisedRows } from './encoders/content-centroid.js';
export { type AdapterParameters, adaptersInit } from './model/adapters.js';
export { type DecodeContext, type GenerateOptions, MemLLM4, type MemLLMOptions } from './model/mem-llm.js';
export type { FrozenModel, TextTokenizer } from './model/text-model.js';
export { TextModel } from './model/text-model.js';
export type { LoadedWeights, LoadWeightsOptions, TrainingProvenance } from './model/trained-weights.js';
export {
  type CrossBundleParameters,
  crossBundleInit,
  crossBundlePrefix,
  type PerBundle,
} from './prefix/cross-bundle-attention.js';
export type { Losses } from './training/losses.js';
export { type TrainAdaptersOptions, type TrainedAdapters, trainAdapters } from './training/train-adapters.js';
export { type StepReport, Trainer4, type TrainerOptions } from './training/trainer.js';
