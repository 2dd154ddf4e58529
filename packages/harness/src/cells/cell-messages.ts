import type { CellProvenance, CellResult, CellSpec } from './cell.js';
import type { Versions } from './key.js';

/** What a cell process is told, once. */
export interface CellOrder {
  readonly spec: CellSpec;
  readonly versions: Versions;
  /** Threads of the engine for one operation. */
  readonly threads: number;
  /** Paths of modules whose mechanisms take part besides those of the house. */
  readonly plugins: readonly string[];
}

/** What a cell process tells. */
export type CellReport =
  | { readonly type: 'ready' }
  | { readonly type: 'start'; readonly provenance: CellProvenance }
  | { readonly type: 'progress'; readonly fraction: number; readonly note: string }
  | { readonly type: 'result'; readonly result: CellResult }
  /** The cell could not be begun: its names, options or engine are wrong here. */
  | { readonly type: 'refused'; readonly error: string };
