import { mergeStatistics } from '../../features/statistics.js';
import type { PopulationReply, PopulationRequest, Statistics, Trial, TrialOutcome } from '../trial.js';

/** Members and trials that are run as one batch: every member stands every trial, and trials are equally long. */
export interface Chunk {
  /** Numbers of the members in the request. */
  readonly members: readonly number[];
  /** Numbers of the trials in the request. */
  readonly trials: readonly number[];
}

/** A chunk with what it needs, as it is handed to whoever runs it. */
export interface ChunkOrder {
  readonly vectors: readonly Float32Array[] | 'full';
  readonly trials: readonly Trial[];
  readonly statistics?: Statistics | undefined;
  readonly collect: boolean;
}

export interface ChunkResult {
  /** `[members][trials]` */
  readonly outcomes: readonly (readonly TrialOutcome[])[];
  readonly statistics?: Statistics | undefined;
}

const targetLength = ({ target, maxNewTokens = 0 }: Trial) => (target ? target.length : -maxNewTokens);

/** Trials of a lone member have no text in common, only the calls of decoding: smaller batches keep all processes at work. */
const LONE_SHARE = 4;

/**
 * Cuts a request into batches of at most `rows` texts. The cut depends on the request alone and not on who runs it, so that
 * every number is computed in the same batch whatever the number of processes. Longest trials come first.
 */
export function planChunks({ vectors, trials }: PopulationRequest, rows: number): Chunk[] {
  const members = vectors === 'full' ? 1 : vectors.length;
  return alikeTrials(trials).flatMap((alike) => {
    const abreast = trialsAbreast(alike.length, members, rows);
    const groups = Array.from({ length: Math.ceil(alike.length / abreast) }, (_, group) =>
      alike.slice(group * abreast, (group + 1) * abreast),
    );
    return groups.flatMap((group) =>
      memberGroups(members, Math.max(1, Math.floor(rows / group.length))).map((part) => ({
        members: part,
        trials: group,
      })),
    );
  });
}

/** Trials in groups of equally long ones, the longest first. */
function alikeTrials(trials: readonly Trial[]): number[][] {
  const order = trials
    .map((_, i) => i)
    .sort(
      (a, b) =>
        trials[b]!.prompt.length - trials[a]!.prompt.length ||
        targetLength(trials[b]!) - targetLength(trials[a]!) ||
        a - b,
    );
  const groups: number[][] = [];
  for (const trial of order) {
    const group = groups.at(-1);
    const first = group && trials[group[0]!]!;
    const fits =
      first &&
      first.prompt.length === trials[trial]!.prompt.length &&
      targetLength(first) === targetLength(trials[trial]!);
    if (fits) group.push(trial);
    else groups.push([trial]);
  }
  return groups;
}

/**
 * Trials of a batch. What members keep differs far more than what trials ask for: batches of all members on some of the trials take
 * equally long, and read what the members have in common once, where batches of some members on all trials keep processes waiting.
 */
function trialsAbreast(trials: number, members: number, rows: number): number {
  if (members === 1) return Math.ceil(rows / LONE_SHARE);
  const whole = Math.floor(rows / members);
  return whole > 0 && trials % whole === 0 ? whole : rows;
}

/** Members in groups of at most `rows`, equally large but for one. */
function memberGroups(members: number, rows: number): number[][] {
  const count = Math.ceil(members / rows);
  const size = Math.ceil(members / count);
  return Array.from({ length: count }, (_, group) =>
    Array.from({ length: Math.min(size, members - group * size) }, (_, i) => group * size + i),
  );
}

/** What is needed to run a chunk. */
export function orderOf(request: PopulationRequest, { members, trials }: Chunk): ChunkOrder {
  const { vectors, statistics, collect = false } = request;
  return {
    vectors: vectors === 'full' ? vectors : members.map((member) => vectors[member]!),
    trials: trials.map((trial) => request.trials[trial]!),
    statistics,
    collect,
  };
}

/** Puts the results of chunks where their members and trials stand in the request. */
export function assemble(
  request: PopulationRequest,
  chunks: readonly Chunk[],
  results: readonly ChunkResult[],
): PopulationReply {
  const members = request.vectors === 'full' ? 1 : request.vectors.length;
  const outcomes = Array.from({ length: members }, () => new Array<TrialOutcome>(request.trials.length));
  chunks.forEach((chunk, i) => {
    chunk.members.forEach((member, m) => {
      chunk.trials.forEach((trial, t) => {
        outcomes[member]![trial] = results[i]!.outcomes[m]![t]!;
      });
    });
  });
  const statistics = mergeAll(results.map((result) => result.statistics));
  return { outcomes, statistics };
}

/** Merges statistics of equally many layers, in order. */
export function mergeAll(all: readonly (Statistics | undefined)[]): Statistics | undefined {
  return all.reduce<Statistics | undefined>((merged, next) => {
    if (!merged || !next) return merged ?? next;
    return merged.map((row, i) => mergeStatistics(row, next[i]!));
  }, undefined);
}
