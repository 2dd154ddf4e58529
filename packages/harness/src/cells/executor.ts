import type { CellResult } from './cell.js';
import type { Cell } from './resolve-cell.js';

/** What an executor tells while it works. */
export interface ExecutorHooks {
  readonly signal?: AbortSignal | undefined;
  onStart(cell: Cell): void;
  /** How far the cell is, from 0 to 1, and what it is doing. */
  onProgress(cell: Cell, fraction: number, note: string): void;
  /** Called once per cell, as it is finished; the executor waits for it, so that no result is lost at the end. */
  onResult(cell: Cell, result: CellResult): Promise<void>;
}

/** Where cells are computed. */
export interface Executor {
  /** Cells that it computes side by side, as far as it knows. */
  readonly width: number;
  /**
   * Computes every cell, in any order. A cell that fails or crashes is a result with the status `failed`.
   * @throws the signal's reason when it is aborted: what was running is dropped, what was finished has been told.
   */
  run(cells: readonly Cell[], hooks: ExecutorHooks): Promise<void>;
}

/** Whether a cell measures time, and so must be alone on its machine. */
export function isExclusive(cell: Cell): boolean {
  return cell.task.family === 'efficiency';
}

/** The cells that may run side by side first, then those that must be alone. */
export function exclusiveLast(cells: readonly Cell[]): Cell[] {
  return [...cells.filter((cell) => !isExclusive(cell)), ...cells.filter(isExclusive)];
}
