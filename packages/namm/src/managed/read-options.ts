import type { CachePolicy } from '../policy/policy.js';
import type { UpdateReport } from './update.js';

/** Options of one reading of texts. */
export interface ReadOptions {
  /**
   * A policy of the same arithmetic with other parameters, such as those of a population, whose graphs these texts share. Default:
   * the one that was compiled.
   */
  readonly policy?: CachePolicy;
  /** Called after every update. */
  readonly onUpdate?: (report: UpdateReport) => void;
  /** Whether reports have what the policy carried. Default false. */
  readonly reportsCarried?: boolean;
  /** Slots of every layer after an update, from the longest head of each. Default: `extentsAfter`. */
  readonly extents?: (kept: readonly number[]) => readonly number[];
}
