import type { TextEvaluation } from '../evaluation/evaluate-text.js';
import type { TrainingSettings } from './training-settings.js';

/** First event: what is about to run. */
export interface TrainingStart {
  readonly type: 'start';
  readonly model: string;
  readonly parameters: number;
  /** Bytes of the memory of one text. */
  readonly stateBytes: number;
  /** Steps already done, when a run is resumed. */
  readonly step: number;
  readonly settings: TrainingSettings;
  readonly engine: string;
}

export interface TrainingStepEvent {
  readonly type: 'step';
  /** Steps done, from 1. */
  readonly step: number;
  readonly steps: number;
  /** Cross-entropy in nats per token on this step's batches. */
  readonly loss: number;
  readonly auxiliaryLoss?: number | undefined;
  /** Learning rate of every group of parameters; `default` for those that no group names. */
  readonly rates: Readonly<Record<string, number>>;
  /** Global norm of the gradients before clipping, and after it. */
  readonly gradientNorm: number;
  readonly clippedNorm: number;
  /** Tokens learned from since the very beginning. */
  readonly tokens: number;
  /** Tokens per second of this step alone. */
  readonly tokensPerSecond: number;
  readonly telemetry: Readonly<Record<string, number>>;
}

export interface ValidationEvent {
  readonly type: 'validation';
  readonly step: number;
  readonly result: TextEvaluation;
  /** True when no validation before was better. */
  readonly isBest: boolean;
}

export interface SampleEvent {
  readonly type: 'sample';
  readonly step: number;
  readonly prompt: string;
  readonly text: string;
}

export interface CheckpointEvent {
  readonly type: 'checkpoint';
  readonly step: number;
  readonly kind: 'latest' | 'best';
  readonly folder: string;
}

/** Last event: how it ended, with the parameters on the host. */
export interface TrainingEnd {
  /** `interrupted`: the signal was aborted; everything was saved before. */
  readonly type: 'end' | 'interrupted';
  readonly step: number;
  readonly tokens: number;
  readonly params: unknown;
  /** Lowest validation loss so far. */
  readonly bestLoss?: number | undefined;
}

export type TrainingEvent =
  | TrainingStart
  | TrainingStepEvent
  | ValidationEvent
  | SampleEvent
  | CheckpointEvent
  | TrainingEnd;
