import type { Split } from './pack.js';

/** Something that is told in a session. */
export interface SessionFact {
  /**
   * `core`: answers a question; `stale` and `update`: what held before and what holds now; `bridge`: says who somebody is of whom a
   * question with two hops asks; the others answer nothing.
   */
  readonly kind: 'core' | 'stale' | 'update' | 'bridge' | 'distractor' | 'trivia';
  /** Place of the question that it is about, or null. */
  readonly target: number | null;
  readonly sub: string | null;
  readonly rel: string | null;
  /** The thing that it names; null for trivia. */
  readonly entity: string | null;
  readonly text: string;
}

export interface SessionQuery {
  readonly sub: string;
  readonly rel: string;
  readonly text: string;
  /** What a right answer holds, in lower case. */
  readonly keyword: string;
  /** What held before, in lower case, or null. */
  readonly stale: string | null;
  /** A right answer. */
  readonly answer: string;
}

export interface Session {
  readonly facts: readonly SessionFact[];
  readonly queries: readonly SessionQuery[];
}

export interface SessionOptions {
  readonly seed: number;
  /** Facts, N. */
  readonly facts: number;
  /** Questions; at most as many as facts. Default 10. */
  readonly queries?: number;
  readonly split: Split;
  /** Share of the questions whose fact is changed later. Default 0. */
  readonly updateRate?: number;
  /** Share of the other facts that are like those asked for. Default 0.5. */
  readonly hard?: number;
  /** Wordings of facts that are allowed. Default: all. */
  readonly factTemplates?: readonly number[];
  /** Wordings of questions that are allowed. Default: all. */
  readonly queryTemplates?: readonly number[];
  /** So few relations, held by several subjects each: a question then needs both. */
  readonly contrast?: number;
  /**
   * Memories that a question needs. With 2 it asks about somebody's friend ("my sister's best friend's dog"): one fact says who that is,
   * another what holds of them, and a third the same of a friend of somebody else, so that neither fact is enough. Default 1.
   */
  readonly hops?: 1 | 2;
}
