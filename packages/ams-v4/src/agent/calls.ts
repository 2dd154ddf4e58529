import type { MemoryPrefix } from '../conversation/memory-records.js';
import type { MemoryFilter, MemoryRecord } from './record.js';

export interface AgentMemoryOptions {
  /** Folder in which the memory survives its process; without one it is gone with it. */
  readonly folder?: string;
  /** The present, in milliseconds since 1970. Default: the clock. */
  readonly now?: () => number;
}

export interface AddOptions {
  readonly namespace?: string | undefined;
  readonly metadata?: MemoryRecord['metadata'] | undefined;
  /** When it was said. Default: now. */
  readonly time?: number | undefined;
  /** Add a text even when it is known. Default false. */
  readonly force?: boolean | undefined;
}

export interface SearchOptions extends MemoryFilter {
  /** Most memories. Default 5. */
  readonly k?: number | undefined;
  /** Count what is found as used. Default true. */
  readonly updateStats?: boolean;
}

export interface MemoryHit extends MemoryRecord {
  /** BM25 without a language model, the fused score of the bundles with one. */
  readonly score: number;
}

export interface AskOptions extends MemoryFilter {
  /** Most new tokens. Default 30. */
  readonly maxTokens?: number;
}

export interface AskedAnswer {
  readonly text: string;
  /** The memories that stood before the question, best first. */
  readonly memories: readonly MemoryHit[];
  /** Positions that they took. */
  readonly positions: number;
}

/** What stands before a line that is said. */
export interface Recalled {
  /** Best first. */
  readonly memories: readonly MemoryHit[];
  /** Of no positions where nothing was found. */
  readonly prefix: MemoryPrefix;
}
