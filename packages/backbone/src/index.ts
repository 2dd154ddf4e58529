/** The tokenizer of a checkpoint folder, which is lm's reader of `tokenizer.json`. */
export { HuggingFaceTokenizer as PretrainedTokenizer } from '@palimpsest/lm';
export { attend } from './attention.js';
export type { KeyValuePrefix } from './block.js';
export {
  cacheBytesPerToken,
  compact,
  type EvictableLayer,
  emptyState,
  evict,
  gatherEntries,
  type LayerCache,
  positionsOf,
  type TransformerState,
  validity,
  withoutRoom,
  withRoom,
} from './cache.js';
export { cachedRows, cachedRowWidth, rotateKeys, stateFromRows } from './cached-rows.js';
export {
  type CacheOptions,
  type RotaryScaling,
  resolveConfig,
  type TransformerConfig,
  type TransformerOptions,
  transformerConfigSchema,
} from './config.js';
export type { DecoderOptions, DecoderResult } from './decoder.js';
export type { FrozenTransformer, OtherParameters } from './frozen-transformer.js';
export { continueGreedily, GreedyDecoder, type GreedyOptions } from './greedy.js';
export type { Placement } from './growing-plan.js';
export type { TokenWatch } from './host/blocks.js';
export type { EvictingHostForm, HostLayer } from './host/evicting-form.js';
export { type DecoderInput, paddedPositions } from './input-rows.js';
export type { LoraConfig, LoraOptions } from './lora/config.js';
export { isLora, type LoraParameters, type LoraTransformer } from './lora/lora-transformer.js';
export { type LoraStart, mergeLora, openLoraStart, openSavedLora, withBase } from './lora/open-base.js';
export { isAdapterFolder, loadAdapters, type SavedAdapters, saveAdapters } from './lora/peft.js';
export { type PackedTexts, packTexts } from './packed-texts.js';
export { type BlockParameters, parameterCount, type TransformerParameters } from './parameters.js';
export { presets } from './presets.js';
export { type ChatMessage, type ChatOptions, ChatTemplate } from './pretrained/chat-template.js';
export { type Family, families } from './pretrained/checkpoint-config.js';
export {
  cacheBytes,
  describeFolder,
  type FolderDescription,
} from './pretrained/describe-folder.js';
export { type HalfArray, HalfWeights } from './pretrained/half-weights.js';
export { type LayeredState, LayeredTransformer } from './pretrained/layered-transformer.js';
export { fromLlamaWeights, type LlamaWeights, toLlamaWeights } from './pretrained/llama-weights.js';
export {
  type FrozenPretrained,
  type LoadOptions,
  loadBySize,
  loadFrozen,
  loadPretrained,
  type Pretrained,
} from './pretrained/load-pretrained.js';
export type { LoadProgress } from './pretrained/load-weights.js';
export { type SavedModel, saveFolder, type WritableFamily } from './pretrained/save-folder.js';
export { saveFolderLike } from './pretrained/save-like.js';
export { type WeightFormat, weightFormats } from './pretrained/store-weights.js';
export { layerFrequencies } from './rotary-frequencies.js';
export { createTransformer, type Transformer, transformerOf } from './transformer.js';
