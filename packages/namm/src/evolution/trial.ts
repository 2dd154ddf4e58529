import type { FeatureStatistics } from '../features/statistics.js';

/** A text that a policy is judged on. */
export interface Trial {
  /** Ids that are read, in pieces as the policy's configuration says. */
  readonly prompt: Int32Array;
  /** Ids that must follow: their probability is measured, token by token. */
  readonly target?: Int32Array;
  /** Tokens that are written, the likeliest each time, where there is no target. */
  readonly maxNewTokens?: number;
  /** Ids that end an answer. */
  readonly endIds?: readonly number[];
}

/** What became of one member on one trial. */
export interface TrialOutcome {
  /** Mean log-probability of the target, in nats. */
  readonly logProb?: number;
  /** Ids that were written, without the one that ended them. */
  readonly answer?: Int32Array;
  /** Tokens in the cache after each update, `[updates][layers][heads]`. */
  readonly kept: readonly (readonly (readonly number[])[])[];
  /** How many of them passed the threshold, `[updates][layers][heads]`: the rest fills up. */
  readonly passing: readonly (readonly (readonly number[])[])[];
  /** Tokens in the cache at the end, `[layers][heads]`. */
  readonly lengths: readonly (readonly number[])[];
}

/** Members, and the trials that every one of them has to stand. */
export interface PopulationRequest {
  /** Flat vectors of parameters in the layout of the configuration, one for each member; 'full': one that forgets nothing. */
  readonly vectors: readonly Float32Array[] | 'full';
  readonly trials: readonly Trial[];
  /** What features are normalised by; without it they are not. */
  readonly statistics?: Statistics | undefined;
  /** Estimate statistics of the features on the way. */
  readonly collect?: boolean | undefined;
}

/** One pair of moments for all layers, or one for each. */
export type Statistics = readonly FeatureStatistics[];

export interface PopulationReply {
  /** `[members][trials]` */
  readonly outcomes: readonly (readonly TrialOutcome[])[];
  /** Of the features that came along, when they were asked for. */
  readonly statistics?: Statistics | undefined;
}

/**
 * Lets members stand trials: in this process, or in several. What it gives depends on the request alone, not on who
 * computes it.
 */
export interface PopulationRunner {
  run(request: PopulationRequest, signal?: AbortSignal): Promise<PopulationReply>;
  dispose(): Promise<void>;
}
