import { hostname } from 'node:os';
import type { Job } from 'bullmq';
import type { CellResult } from '../cell.js';
import { CellProcesses, type ProcessExecutorOptions } from '../process-executor.js';
import { type Cell, resolveCell } from '../resolve-cell.js';
import type { ResultStore } from '../result-store.js';
import type { EvaluationRegistry } from '../task.js';
import type { CellJobData, CellJobProgress } from './cell-job.js';
import { openQueue, type QueueAddress } from './redis.js';

/** Between two reports of progress to the server, milliseconds. */
const PROGRESS_INTERVAL = 1000;
/** How often a cell may be taken from workers that fell silent. */
const STALLED_LIMIT = 5;

export interface QueueWorkerOptions extends QueueAddress, ProcessExecutorOptions {
  readonly registry: EvaluationRegistry;
  /** Where this worker keeps the results too; cells that are finished there are not computed again. */
  readonly store?: ResultStore | undefined;
  /** Seconds without a sign of life after which a worker's cells are given to others. Default 30. */
  readonly stalledAfterSeconds?: number;
  /** Ends the worker after so many seconds without a cell. Default: it waits for ever. */
  readonly idleSeconds?: number | undefined;
  /** Ends the worker: cells that it is computing go back to the queue. */
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: QueueWorkerEvent) => void;
}

export type QueueWorkerEvent =
  | { readonly type: 'ready'; readonly workers: number }
  | { readonly type: 'start'; readonly cell: Cell }
  | { readonly type: 'result'; readonly cell: Cell; readonly result: CellResult }
  /** A cell that goes back to the queue, or a server that does not answer: why. */
  | { readonly type: 'trouble'; readonly reason: string };

/**
 * Pulls cells from a queue and computes each in a process of its own, until the signal or the idle time ends it.
 * @returns how many cells it finished.
 * @throws InputError when the server cannot be reached or the packages are missing.
 */
export async function runQueueWorker(options: QueueWorkerOptions): Promise<number> {
  const { signal, onEvent = () => {}, stalledAfterSeconds = 30 } = options;
  const { bullmq, name, connection } = await openQueue(options);
  const processes = new CellProcesses(options);
  let finished = 0;
  let busy = 0;
  let idleSince = performance.now();
  const compute = async (job: Job<CellJobData, CellResult>, token?: string): Promise<CellResult> => {
    busy++;
    try {
      const result = await computeJob(job, processes, options);
      finished++;
      return result;
    } catch (error) {
      if (!signal?.aborted) throw error;
      await job.moveToWait(token);
      throw new bullmq.WaitingError();
    } finally {
      busy--;
      idleSince = performance.now();
    }
  };
  const worker = new bullmq.Worker<CellJobData, CellResult>(name, compute, {
    connection,
    name: `${hostname()}-${process.pid}`,
    concurrency: processes.workers,
    lockDuration: stalledAfterSeconds * 1000,
    stalledInterval: stalledAfterSeconds * 1000,
    maxStalledCount: STALLED_LIMIT,
  });
  worker.on('error', ({ message }) => onEvent({ type: 'trouble', reason: message }));
  worker.on('failed', (_, { message }) => onEvent({ type: 'trouble', reason: message }));
  try {
    await worker.waitUntilReady();
    onEvent({ type: 'ready', workers: processes.workers });
    await untilOver(options, () => (busy > 0 ? 0 : (performance.now() - idleSince) / 1000));
  } finally {
    await worker.close();
  }
  return finished;
}

/** Resolves when the signal is aborted or the worker has been idle for long enough. */
function untilOver({ signal, idleSeconds }: QueueWorkerOptions, idle: () => number): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearInterval(timer);
      resolve();
    };
    const timer = setInterval(() => {
      if (idleSeconds !== undefined && idle() >= idleSeconds) end();
    }, 250);
    if (signal?.aborted) end();
    signal?.addEventListener('abort', end, { once: true });
  });
}

async function computeJob(
  job: Job<CellJobData, CellResult>,
  processes: CellProcesses,
  { registry, versions, store, signal, onEvent = () => {} }: QueueWorkerOptions,
): Promise<CellResult> {
  const { key, spec } = job.data;
  const cell = resolveCell(registry, spec, { engine: spec.engine, versions });
  if (cell.key !== key) {
    throw new Error(
      `The worker on ${hostname()} has other versions of the packages than the sweep; install the same ones.`,
    );
  }
  const known = await store?.read(key);
  if (known?.status === 'done') return known;
  let lastProgress = 0;
  const { result, crashed } = await processes.run(cell, {
    signal,
    onStart: () => onEvent({ type: 'start', cell }),
    onProgress(fraction, note) {
      if (performance.now() - lastProgress < PROGRESS_INTERVAL) return;
      lastProgress = performance.now();
      // A report that is lost costs nothing; the server's silence is told by the worker's own errors.
      job.updateProgress({ fraction, note } satisfies CellJobProgress).catch(() => {});
    },
  });
  if (crashed && job.attemptsMade + 1 < (job.opts.attempts ?? 1)) throw new Error(result.error);
  await store?.write(result);
  onEvent({ type: 'result', cell, result });
  return result;
}
