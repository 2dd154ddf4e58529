import { availableParallelism, totalmem } from 'node:os';
import { InputError } from '@palimpsest/tensor-core';
import { type Executor, type ExecutorHooks, exclusiveLast, isExclusive } from './executor.js';
import type { Versions } from './key.js';
import type { Cell } from './resolve-cell.js';
import { type CellProcessOptions, runCellProcess } from './run-cell-process.js';
import { Slots } from './slots.js';

/** Memory that a cell process is given room for when nobody says how many workers there shall be, bytes. */
const MEMORY_PER_WORKER = 1.5 * 2 ** 30;

export interface ProcessExecutorOptions {
  readonly versions: Versions;
  /** Paths of modules whose mechanisms take part besides those of the house. */
  readonly plugins?: readonly string[];
  /** Cells side by side. Default: one per core, fewer when memory is short. */
  readonly workers?: number | undefined;
  /** Threads of the machine, shared among the workers. Default: one per core. */
  readonly threads?: number | undefined;
  /** Seconds after which a cell is given up. Default: as long as it takes. */
  readonly timeoutSeconds?: number | undefined;
  /** Flags for Node, as `--max-old-space-size=4096`. */
  readonly nodeArguments?: readonly string[] | undefined;
}

/** Cells that this machine can compute side by side: one per core, as far as memory goes. */
export function defaultWorkers(): number {
  return Math.max(1, Math.min(availableParallelism(), Math.floor(totalmem() / MEMORY_PER_WORKER)));
}

/** Runs one cell in a process, in the places of this machine. */
export class CellProcesses {
  readonly workers: number;
  readonly #threads: number;
  readonly #slots: Slots;
  readonly #options: ProcessExecutorOptions;

  constructor(options: ProcessExecutorOptions) {
    this.workers = options.workers ?? defaultWorkers();
    if (!Number.isInteger(this.workers) || this.workers < 1)
      throw new InputError(`The number of workers must be 1 or more, but it is ${this.workers}.`);
    this.#threads = options.threads ?? availableParallelism();
    this.#slots = new Slots(this.workers);
    this.#options = options;
  }

  /** Waits for a place, or for the whole machine when the cell measures time, and computes the cell there. */
  run(
    cell: Cell,
    hooks: Pick<CellProcessOptions, 'signal' | 'onProgress'> & { readonly onStart?: () => void },
  ) {
    const alone = isExclusive(cell);
    const { workers: _, ...options } = this.#options;
    return this.#slots.take(alone ? this.workers : 1, async () => {
      hooks.signal?.throwIfAborted();
      hooks.onStart?.();
      const threads = alone ? this.#threads : Math.max(1, Math.floor(this.#threads / this.workers));
      return runCellProcess(cell, { ...options, ...hooks, threads });
    });
  }
}

/** Computes every cell in a process of its own, several side by side; a crash is a failed result, and the rest goes on. */
export function processExecutor(options: ProcessExecutorOptions): Executor {
  const processes = new CellProcesses(options);
  return {
    width: processes.workers,
    async run(cells, hooks) {
      const ends = await Promise.allSettled(
        exclusiveLast(cells).map((cell) => computeOne(processes, cell, hooks)),
      );
      const failure = ends.find((end) => end.status === 'rejected');
      if (failure) throw failure.reason;
    },
  };
}

async function computeOne(processes: CellProcesses, cell: Cell, hooks: ExecutorHooks): Promise<void> {
  const { result } = await processes.run(cell, {
    signal: hooks.signal,
    onStart: () => hooks.onStart(cell),
    onProgress: (fraction, note) => hooks.onProgress(cell, fraction, note),
  });
  await hooks.onResult(cell, result);
}
