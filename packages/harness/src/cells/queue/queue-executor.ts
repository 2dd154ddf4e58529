import type { Job, Queue } from 'bullmq';
import { type CellResult, cellResultSchema } from '../cell.js';
import { type Executor, type ExecutorHooks, exclusiveLast } from '../executor.js';
import { failedResult } from '../failed-result.js';
import type { Versions } from '../key.js';
import { cellLabel } from '../label.js';
import type { Cell } from '../resolve-cell.js';
import { type CellJobData, type CellJobProgress, jobOptions } from './cell-job.js';
import { openQueue, type QueueAddress } from './redis.js';

/** Seconds between two looks at cells that no event told about: events may be lost while a connection is. */
const LOOK_SECONDS = 10;

export interface QueueExecutorOptions extends QueueAddress {
  readonly versions: Versions;
  /** How often a cell is begun when its process crashes or its worker goes wrong. Default 3. */
  readonly attempts?: number;
  /**
   * Seconds between two looks at every cell, which find what no event told, and put back on the queue what the server has
   * lost. Default 10.
   */
  readonly lookSeconds?: number;
}

/** Hands cells to the workers of a queue on a Redis server, and waits for their results. */
export function queueExecutor(options: QueueExecutorOptions): Executor {
  let running = 0;
  return {
    get width() {
      return Math.max(1, running);
    },
    async run(cells, hooks) {
      hooks.signal?.throwIfAborted();
      const { bullmq, name, connection } = await openQueue(options);
      const queue = new bullmq.Queue<CellJobData, CellResult>(name, { connection });
      const events = new bullmq.QueueEvents(name, { connection });
      // A server that goes away for a while comes back to the same jobs; without listeners it would end the process.
      queue.on('error', () => {});
      events.on('error', () => {});
      const pending = new PendingCells(queue, cells, options, {
        ...hooks,
        onStart(cell) {
          running++;
          hooks.onStart(cell);
        },
        async onResult(cell, result) {
          running = Math.max(0, running - 1);
          await hooks.onResult(cell, result);
        },
      });
      try {
        await events.waitUntilReady();
        events.on('active', ({ jobId }) => pending.start(jobId));
        events.on('progress', ({ jobId, data }) =>
          pending.progress(jobId, data as unknown as CellJobProgress),
        );
        events.on('completed', ({ jobId }) => pending.look(jobId));
        events.on('failed', ({ jobId }) => pending.look(jobId));
        await pending.enqueue();
        await pending.wait();
      } finally {
        await events.close();
        await queue.close();
      }
    },
  };
}

/** The cells that a sweep waits for. */
class PendingCells {
  readonly #queue: Queue<CellJobData, CellResult>;
  readonly #cells: Map<string, Cell>;
  readonly #started = new Set<string>();
  /** Results that were taken and are being written: the sweep is over when the last of them is. */
  #writing = 0;
  readonly #versions: Versions;
  readonly #attempts: number;
  readonly #lookSeconds: number;
  readonly #hooks: ExecutorHooks;
  readonly #finished: Promise<void>;
  #resolve!: () => void;
  #reject!: (reason: unknown) => void;

  constructor(
    queue: Queue<CellJobData, CellResult>,
    cells: readonly Cell[],
    { versions, attempts = 3, lookSeconds = LOOK_SECONDS }: QueueExecutorOptions,
    hooks: ExecutorHooks,
  ) {
    this.#queue = queue;
    this.#cells = new Map(exclusiveLast(cells).map((cell) => [cell.key, cell]));
    this.#versions = versions;
    this.#attempts = attempts;
    this.#lookSeconds = lookSeconds;
    this.#hooks = hooks;
    this.#finished = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Somebody waits for it only after everything is on the queue.
    this.#finished.catch(() => {});
  }

  /** Puts every cell on the queue that is not there; one that failed there before is tried again. */
  async enqueue(): Promise<void> {
    for (const cell of [...this.#cells.values()]) {
      this.#hooks.signal?.throwIfAborted();
      const known = await this.#queue.getJob(cell.key);
      if (known && (await hasFailed(known))) await known.remove();
      await this.#add(cell);
    }
  }

  async #add({ key, spec }: Cell): Promise<void> {
    const data = { key, spec, versions: this.#versions };
    await this.#queue.add(cellLabel(spec), data, jobOptions(key, this.#attempts));
  }

  start(key: string): void {
    const cell = this.#cells.get(key);
    if (!cell || this.#started.has(key)) return;
    this.#started.add(key);
    this.#hooks.onStart(cell);
  }

  progress(key: string, { fraction, note }: CellJobProgress): void {
    const cell = this.#cells.get(key);
    if (!cell) return;
    this.start(key);
    this.#hooks.onProgress(cell, fraction, note);
  }

  /** Takes a cell's result when there is one. */
  look(key: string): void {
    this.#take(key).catch(this.#reject);
  }

  /** Resolves when every cell has a result. @throws the signal's reason; cells that no worker has begun are withdrawn. */
  async wait(): Promise<void> {
    const { signal } = this.#hooks;
    const abort = () => this.#reject(signal!.reason);
    signal?.addEventListener('abort', abort);
    if (signal?.aborted) abort();
    const lookAtAll = () => {
      for (const key of this.#cells.keys()) this.look(key);
    };
    const timer = setInterval(lookAtAll, this.#lookSeconds * 1000);
    try {
      if (this.#cells.size === 0) this.#resolve();
      lookAtAll();
      await this.#finished;
    } finally {
      clearInterval(timer);
      signal?.removeEventListener('abort', abort);
      if (signal?.aborted) await this.#withdraw();
    }
  }

  async #take(key: string): Promise<void> {
    if (!this.#cells.has(key)) return;
    const job = await this.#queue.getJob(key);
    const state = await job?.getState();
    const cell = this.#cells.get(key);
    // Another look may have taken it meanwhile.
    if (!cell) return;
    // A server that was started anew without its data, or another sweep that withdrew the cell. Adding twice is once.
    if (!job) {
      if (!this.#hooks.signal?.aborted) await this.#add(cell);
      return;
    }
    if (state !== 'completed' && state !== 'failed') return;
    this.start(key);
    this.#cells.delete(key);
    this.#writing += 1;
    await this.#hooks.onResult(cell, this.#resultOf(cell, job));
    this.#writing -= 1;
    if (this.#cells.size === 0 && this.#writing === 0) this.#resolve();
  }

  #resultOf(cell: Cell, { returnvalue, failedReason }: Job<CellJobData, CellResult>): CellResult {
    const parsed = cellResultSchema.safeParse(returnvalue);
    if (parsed.success && parsed.data.key === cell.key) return parsed.data;
    const error = failedReason || 'The worker gave back something that is no result of this cell.';
    return failedResult(cell, { error, seconds: 0, versions: this.#versions });
  }

  async #withdraw(): Promise<void> {
    for (const key of this.#cells.keys()) {
      const job = await this.#queue.getJob(key);
      // A worker may begin it at this moment; then it stays, and the next sweep finds its result.
      if (job && (await job.getState()) !== 'active') await job.remove().catch(() => {});
    }
  }
}

async function hasFailed(job: Job<CellJobData, CellResult>): Promise<boolean> {
  const state = await job.getState();
  return state === 'failed' || (state === 'completed' && job.returnvalue?.status !== 'done');
}
