import type { CellResult, CellSpecInput } from './cell.js';
import type { Executor } from './executor.js';
import type { Versions } from './key.js';
import { type Cell, resolveCells } from './resolve-cell.js';
import type { ResultStore } from './result-store.js';
import { isInShard, type Shard } from './shard.js';
import type { EvaluationRegistry } from './task.js';
import { TimeEstimate } from './time-estimate.js';

export interface SweepOptions {
  readonly registry: EvaluationRegistry;
  readonly cells: readonly CellSpecInput[];
  readonly store: ResultStore;
  readonly executor: Executor;
  /** Name of the real engine that `auto` stands for. */
  readonly engine: string;
  readonly versions: Versions;
  /** Only this part of the cells. */
  readonly shard?: Shard | undefined;
  /** Compute cells again that failed before. Default true. */
  readonly retryFailed?: boolean;
  /** Leave cells alone that are finished. Default true. */
  readonly resume?: boolean;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: SweepEvent, status: SweepStatus) => void;
}

export type SweepEvent =
  /** Before the first cell: those to compute, and how many are finished already. */
  | { readonly type: 'plan'; readonly cells: readonly Cell[]; readonly finished: number }
  | { readonly type: 'start'; readonly cell: Cell }
  | { readonly type: 'progress'; readonly cell: Cell; readonly fraction: number; readonly note: string }
  | { readonly type: 'result'; readonly cell: Cell; readonly result: CellResult };

/** Where a sweep stands. */
export interface SweepStatus {
  /** Cells of the sweep, those finished before included. */
  readonly total: number;
  readonly done: number;
  readonly failed: number;
  readonly running: number;
  /** From the measured seconds of cells of the same kind; undefined while none was measured. */
  readonly secondsLeft: number | undefined;
}

export interface SweepSummary {
  /** A result for every cell of the sweep that has one, in the order of the cells. */
  readonly results: readonly CellResult[];
  readonly total: number;
  readonly done: number;
  readonly failed: number;
  /** Cells that were computed now. */
  readonly computed: number;
  /** Ended by the signal, with what was finished until then. */
  readonly interrupted: boolean;
}

/**
 * Computes the cells that have no result yet, and writes each result as it comes: interrupted at any time, the next run
 * goes on where this one was. Cells that failed before are tried again unless told otherwise, as a build does with what
 * did not build.
 * @throws InputError before anything is computed, when a cell's names or options are wrong or the folder is no store.
 */
export async function runSweep(options: SweepOptions): Promise<SweepSummary> {
  const { registry, store, executor, engine, versions, shard, signal, onEvent = () => {} } = options;
  const all = resolveCells(registry, options.cells, { engine, versions });
  const cells = shard ? all.filter(({ key }) => isInShard(key, shard)) : all;
  const results = await knownResults(store, cells, options);
  const waiting = cells.filter(({ key }) => !results.has(key));
  const progress = new SweepProgress(waiting, cells.length, executor, [...results.values()]);
  const tell = (event: SweepEvent) => onEvent(event, progress.status());
  tell({ type: 'plan', cells: waiting, finished: results.size });
  let computed = 0;
  try {
    await executor.run(waiting, {
      signal,
      onStart(cell) {
        progress.start(cell);
        tell({ type: 'start', cell });
      },
      onProgress: (cell, fraction, note) => tell({ type: 'progress', cell, fraction, note }),
      async onResult(cell, result) {
        // Counted first: its place is free for the next cell while the file is being written.
        progress.finish(cell, result);
        await store.write(result);
        results.set(cell.key, result);
        computed++;
        tell({ type: 'result', cell, result });
      },
    });
  } catch (error) {
    if (!signal?.aborted) throw error;
  }
  const { done, failed } = progress.status();
  const ordered = cells.flatMap(({ key }) => results.get(key) ?? []);
  const interrupted = signal?.aborted === true;
  return { results: ordered, total: cells.length, done, failed, computed, interrupted };
}

async function knownResults(
  store: ResultStore,
  cells: readonly Cell[],
  { resume = true, retryFailed = true }: SweepOptions,
): Promise<Map<string, CellResult>> {
  const known = new Map<string, CellResult>();
  if (!resume) return known;
  for (const { key } of cells) {
    const result = await store.read(key);
    if (result && !(retryFailed && result.status === 'failed')) known.set(key, result);
  }
  return known;
}

/** Counts cells and guesses the time left. */
class SweepProgress {
  readonly #waiting: Map<string, Cell>;
  readonly #running = new Map<string, { readonly cell: Cell; readonly since: number }>();
  readonly #estimate = new TimeEstimate();
  readonly #total: number;
  readonly #executor: Executor;
  #done = 0;
  #failed = 0;

  constructor(waiting: readonly Cell[], total: number, executor: Executor, known: readonly CellResult[]) {
    this.#waiting = new Map(waiting.map((cell) => [cell.key, cell]));
    this.#total = total;
    this.#executor = executor;
    for (const result of known) this.#count(result);
  }

  start(cell: Cell): void {
    this.#waiting.delete(cell.key);
    this.#running.set(cell.key, { cell, since: performance.now() });
  }

  finish(cell: Cell, result: CellResult): void {
    this.#waiting.delete(cell.key);
    this.#running.delete(cell.key);
    this.#count(result);
  }

  status(): SweepStatus {
    const running = [...this.#running.values()].map(({ cell, since }) => ({
      spec: cell.spec,
      elapsed: (performance.now() - since) / 1000,
    }));
    const waiting = [...this.#waiting.values()].map(({ spec }) => spec);
    return {
      total: this.#total,
      done: this.#done,
      failed: this.#failed,
      running: running.length,
      secondsLeft: this.#estimate.secondsLeft(waiting, running, this.#executor.width),
    };
  }

  #count({ status, spec, seconds }: CellResult): void {
    if (status === 'failed') this.#failed++;
    else {
      this.#done++;
      this.#estimate.record(spec, seconds);
    }
  }
}
