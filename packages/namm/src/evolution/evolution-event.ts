import type { CacheSizes } from './cache-sizes.js';
import type { CmaEsStats } from './cma-es/cma-es.js';
import type { TaskScores } from './fitness.js';
import type { EvolutionSettings } from './settings.js';

/** First event: what is about to run. */
export interface EvolutionStart {
  readonly type: 'start';
  /** Numbers that are searched. */
  readonly parameters: number;
  /** Generations already done, when an evolution is resumed. */
  readonly generation: number;
  /** Generations of all stages. */
  readonly generations: number;
  readonly settings: EvolutionSettings;
}

/** A stage begins. */
export interface StageEvent {
  readonly type: 'stage';
  readonly generation: number;
  /** From 0. */
  readonly stage: number;
  readonly tasks: readonly string[];
}

export interface GenerationEvent {
  readonly type: 'generation';
  /** Generations done, from 1. */
  readonly generation: number;
  readonly stage: number;
  /** Fitness of the members. */
  readonly best: number;
  readonly mean: number;
  readonly worst: number;
  readonly deviation: number;
  /** Percents by task, mean over the members. */
  readonly scores: TaskScores;
  /** Tokens per head in the caches, mean over the members. */
  readonly sizes: CacheSizes;
  /** Tokens kept per layer and update as the sparsity loss counts them, mean over the members, and its weight. */
  readonly sparsity: number;
  readonly sparsityCoeff: number;
  readonly search: CmaEsStats;
  /** Of this generation alone. */
  readonly seconds: number;
}

export interface EvaluationEvent {
  readonly type: 'evaluation';
  readonly generation: number;
  /** Of what the search stands for, on samples that nothing is evolved on. */
  readonly fitness: number;
  readonly scores: TaskScores;
  /** Scores beside the full cache's. */
  readonly normalised: TaskScores;
  readonly sizes: CacheSizes;
  /** Of further draws, when they were asked for. The best of them is kept where it beats what the search stands for. */
  readonly candidates?: {
    readonly bestIndex: number;
    readonly best: number;
    readonly mean: number;
    readonly least: number;
    readonly deviation: number;
  };
  /** True when no evaluation of this stage before was better. */
  readonly isBest: boolean;
  readonly seconds: number;
}

export interface EvolutionCheckpointEvent {
  readonly type: 'checkpoint';
  readonly generation: number;
  readonly kind: 'latest' | 'best' | 'numbered';
  readonly path: string;
}

/** Last event: how it ended, with what was found. */
export interface EvolutionEnd {
  /** `early`: evaluations stopped improving. `interrupted`: the signal was aborted; everything was saved before. */
  readonly type: 'end' | 'early' | 'interrupted';
  readonly generation: number;
  /** Flat vector in the layout of the configuration. */
  readonly parameters: Float32Array;
  /** Fitness of the best evaluation. */
  readonly bestFitness?: number;
}

export type EvolutionEvent =
  | EvolutionStart
  | StageEvent
  | GenerationEvent
  | EvaluationEvent
  | EvolutionCheckpointEvent
  | EvolutionEnd;
