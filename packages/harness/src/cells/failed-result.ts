import { describeCellProvenance } from '../results/provenance.js';
import type { CellProvenance, CellResult } from './cell.js';
import type { Versions } from './key.js';
import type { Cell } from './resolve-cell.js';

export interface Failure {
  /** Why, in one sentence. */
  readonly error: string;
  readonly seconds: number;
  readonly versions: Versions;
  /** Where it was computed, when that is known. Default: this machine and an engine that nobody saw. */
  readonly provenance?: CellProvenance | undefined;
  readonly threads?: number;
}

/** The result of a cell whose own process could not report. */
export function failedResult(cell: Cell, failure: Failure): CellResult {
  const { error, seconds, versions, provenance, threads = 0 } = failure;
  const engine = { name: cell.spec.engine, runtime: 'unknown', device: 'unknown', threads };
  return {
    format: 'palimpsest-cell',
    version: 1,
    key: cell.key,
    spec: cell.spec,
    status: 'failed',
    error,
    provenance: provenance ?? describeCellProvenance(engine, versions),
    date: new Date().toISOString(),
    seconds,
    cpuSeconds: 0,
    peakMemoryBytes: 0,
  };
}
