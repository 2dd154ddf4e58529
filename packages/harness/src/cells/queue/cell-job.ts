import type { JobsOptions } from 'bullmq';
import type { CellSpec } from '../cell.js';
import type { Versions } from '../key.js';

/** What travels to a worker. */
export interface CellJobData {
  readonly key: string;
  readonly spec: CellSpec;
  readonly versions: Versions;
}

/** What a worker tells while it computes. */
export interface CellJobProgress {
  readonly fraction: number;
  readonly note: string;
}

/** Seconds that the server keeps a result for sweeps that come back for it. */
const KEPT_SECONDS = 24 * 3600;

/** The key is the job's name on the server: whoever asks for a cell that is there already waits for the same job. */
export function jobOptions(key: string, attempts: number): JobsOptions {
  return {
    jobId: key,
    attempts,
    backoff: { type: 'exponential', delay: 500 },
    removeOnComplete: { age: KEPT_SECONDS },
    removeOnFail: { age: KEPT_SECONDS },
  };
}
