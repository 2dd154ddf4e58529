import type { Inspection } from '@palimpsest/lm';
import type { MechanismName, RuleName } from '../choices.js';

/** What is trained. */
export interface TrainRequest {
  readonly mechanism: MechanismName;
  /** Bytes that its memory shall take, as near as may be. Default: as the mechanism is usually trained here */
  readonly bytes?: number | undefined;
  readonly steps: number;
  readonly text: string;
  readonly prompt: string;
}

/** How the training of a model goes. */
export type TrainNews =
  | {
      readonly type: 'start';
      readonly parameters: number;
      /** Of one reader. */
      readonly memoryBytes: number;
      /** Parts of the text that are read side by side, each with a memory of its own. */
      readonly readers: number;
    }
  | { readonly type: 'step'; readonly step: number; readonly loss: number }
  | { readonly type: 'sample'; readonly step: number; readonly text: string }
  | { readonly type: 'end'; readonly step: number };

/** A model that the worker has. */
export interface OpenedModel {
  readonly title: string;
  readonly parameters: number;
  readonly memoryBytes: number;
}

/** What a session has read, and what it holds of it. */
export interface MemoryNews {
  readonly tokens: number;
  readonly memoryBytes: number;
}

/** A reply as it is written. */
export type ReplyNews =
  | { readonly type: 'text'; readonly text: string }
  | ({ readonly type: 'end' } & MemoryNews);

/** A memory that was found for a question. */
export interface FoundText {
  readonly text: string;
  readonly score: number;
}

/** What the worker can do; each call may send news while it runs. */
export interface Calls {
  train: { request: TrainRequest; news: TrainNews; result: OpenedModel };
  /** Opens a shipped model, or the one that was trained here: `trained`. */
  open: { request: { readonly model: string; readonly base: string }; news: never; result: OpenedModel };
  say: {
    request: {
      readonly line: string;
      readonly lineEnd: string;
      readonly most: number;
      readonly temperature: number;
    };
    news: ReplyNews;
    result: MemoryNews;
  };
  /** Reads lines about other things. */
  wander: { request: { readonly tokens: number }; news: MemoryNews; result: MemoryNews };
  forget: { request: null; news: never; result: MemoryNews };
  save: { request: null; news: never; result: Uint8Array };
  restore: { request: Uint8Array; news: never; result: MemoryNews };
  inspect: {
    request: {
      readonly model: string;
      readonly base: string;
      readonly text: string;
      /** What decides which tokens the cache of a transformer keeps. */
      readonly rule: RuleName;
      /** Most tokens that a head of it keeps. */
      readonly budget: number;
    };
    news: never;
    result: Inspection;
  };
  recall: {
    request: { readonly notes: readonly string[]; readonly question: string };
    news: never;
    result: readonly FoundText[];
  };
}

export type CallName = keyof Calls;

export type ToWorker =
  | { readonly id: number; readonly name: CallName; readonly request: unknown }
  | { readonly id: number; readonly name: 'stop' };

export type FromWorker =
  | { readonly id: number; readonly type: 'news'; readonly news: unknown }
  | { readonly id: number; readonly type: 'result'; readonly result: unknown }
  | { readonly id: number; readonly type: 'error'; readonly message: string };
