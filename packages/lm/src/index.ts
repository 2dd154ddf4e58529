export * from './architecture.js';
export { currentFolder, settleFolder } from './checkpoints/atomic-folder.js';
export {
  CHECKPOINT_VERSION,
  type CheckpointContents,
  checkpointFrom,
  type LoadedCheckpoint,
  loadCheckpoint,
  type ModelFactory,
  type ModelRegistry,
  saveCheckpoint,
  type TrainingRecord,
} from './checkpoints/checkpoint.js';
export { firstNonFinite } from './checkpoints/finite.js';
export { FolderLock, type FolderLockOptions } from './checkpoints/folder-lock.js';
export { storageError } from './checkpoints/storage-error.js';
export * from './data/batch.js';
export {
  builtInCorpora,
  defaultCorpus,
  type NeedleCorpusOptions,
  needleCorpus,
} from './data/built-in-corpora.js';
export { ContiguousLanes, type LaneOptions } from './data/contiguous-lanes.js';
export * from './data/corpus.js';
export { CorruptedInputs, type CorruptionOptions } from './data/corrupted-inputs.js';
export { isPlace } from './data/cursor.js';
export { DocumentLanes } from './data/document-lanes.js';
export { storiesOf, wikiArticlesOf } from './data/document-layouts.js';
export { type LengthBucketOptions, lengthBuckets } from './data/length-buckets.js';
export { type CorpusLayout, corpusLayouts, loadCorpus } from './data/load-corpus.js';
export { type Example, PaddedExamples, type PaddedExamplesOptions } from './data/padded-examples.js';
export type { RandomSource } from './data/random-source.js';
export { RandomWindows, type WindowOptions } from './data/random-windows.js';
export * from './data/run-data.js';
export * from './data/stories.js';
export { decodeText } from './data/text-file.js';
export * from './evaluation/evaluate-text.js';
export type { TextBucket } from './evaluation/loss-tally.js';
export { withByteWeights } from './generation/byte-weights.js';
export { createDecoder, type Decoder, type DecoderOptions } from './generation/decoder.js';
export * from './generation/generate.js';
export { createHostDecoder } from './generation/host-decoder.js';
export type { HostForm, HostMemory } from './generation/host-form-decoder.js';
export { LongTextDecoder, type SegmentDecoder } from './generation/long-text-decoder.js';
export * from './generation/session.js';
export * from './generation/session-snapshot.js';
export { StepDecoder, type StepTurns } from './generation/step-decoder.js';
export type * from './inspection.js';
export type * from './mechanism.js';
export { missingSetting } from './missing-setting.js';
export * from './model-size.js';
export * from './ngrams/ngram-floors.js';
export * from './ngrams/ngram-model.js';
export * from './sampling/draw-token.js';
export { nextTokenDistribution } from './sampling/next-token-distribution.js';
export { nthLargest } from './sampling/nth-largest.js';
export * from './sampling/sampling-options.js';
export * from './sequence-model.js';
export * from './tasks/contender.js';
export * from './tasks/examples.js';
export * from './tasks/meter.js';
export * from './tasks/outcome.js';
export * from './tasks/recall-task.js';
export * from './tasks/task.js';
export { thinned } from './tasks/thinned.js';
export * from './tokenizers/bpe-tokenizer.js';
export { ByteTokenizer } from './tokenizers/byte-tokenizer.js';
export { CharacterTokenizer } from './tokenizers/character-tokenizer.js';
export { HuggingFaceTokenizer } from './tokenizers/hugging-face-tokenizer.js';
export { readTokenizer } from './tokenizers/read-tokenizer.js';
export { restoreTokenizer } from './tokenizers/restore-tokenizer.js';
export {
  BLANK_MARK,
  type SentencePieceOptions,
  SentencePieceTokenizer,
} from './tokenizers/sentence-piece-tokenizer.js';
export { SpecialCharacterTokenizer } from './tokenizers/special-character-tokenizer.js';
export { type TokenSpan, tokenSpans } from './tokenizers/token-spans.js';
export * from './tokenizers/tokenizer.js';
export type { Merge } from './tokenizers/train-merges.js';
export { withFrozen } from './training/frozen-parameters.js';
export * from './training/parameter-rules.js';
export * from './training/train.js';
export * from './training/training-event.js';
export * from './training/training-settings.js';
export * from './training/training-step.js';
export { outputOptions, threadsOption } from './verb-options.js';
