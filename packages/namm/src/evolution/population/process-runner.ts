import type { ChildProcess } from 'node:child_process';
import { InputError, nodeModule, PalimpsestError } from '@palimpsest/base';
import type { PopulationReply, PopulationRequest, PopulationRunner } from '../trial.js';
import { assemble, type ChunkOrder, type ChunkResult, orderOf, planChunks } from './chunk.js';
import type { PopulationModel } from './population-model.js';

/** What a process is told first. */
export interface ProcessSetup {
  readonly type: 'setup';
  readonly model: PopulationModel;
}
export interface ProcessOrder {
  readonly type: 'order';
  readonly order: ChunkOrder;
}
/** What a process answers. */
export type ProcessAnswer =
  | { readonly type: 'ready' }
  | { readonly type: 'result'; readonly result: ChunkResult }
  | { readonly type: 'failed'; readonly error: string };

export interface ProcessRunnerOptions {
  /** Processes side by side. Default 2. */
  readonly workers?: number;
  /** Threads of the engine in each. Default 1. */
  readonly threads?: number;
}

/** Characters kept of what a process prints on standard error: the end says why it died. */
const KEPT_CHARACTERS = 4000;

/** Lets members stand their trials in several processes, which end with this one. */
export class ProcessRunner implements PopulationRunner {
  readonly #model: PopulationModel;
  readonly #options: Required<ProcessRunnerOptions>;
  #workers: Worker[] = [];

  /** @throws InputError for a number of workers that is none. */
  constructor(model: PopulationModel, { workers = 2, threads = 1 }: ProcessRunnerOptions = {}) {
    if (!Number.isInteger(workers) || workers < 1) {
      throw new InputError(`The number of workers is 1 or more, but ${workers} was given.`);
    }
    this.#model = model;
    this.#options = { workers, threads };
  }

  async run(request: PopulationRequest, signal?: AbortSignal): Promise<PopulationReply> {
    signal?.throwIfAborted();
    const chunks = planChunks(request, this.#model.rows);
    const results = new Array<ChunkResult>(chunks.length);
    const stop = () => this.#kill();
    signal?.addEventListener('abort', stop);
    let next = 0;
    const serve = async (worker: Worker) => {
      while (next < chunks.length) {
        const place = next++;
        results[place] = await worker.run(orderOf(request, chunks[place]!));
      }
    };
    try {
      await Promise.all(this.#start(Math.min(this.#options.workers, chunks.length)).map(serve));
    } catch (error) {
      // Others may still be at work on what nobody wants any more.
      this.#kill();
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', stop);
    }
    return assemble(request, chunks, results);
  }

  async dispose(): Promise<void> {
    this.#kill();
  }

  #start(count: number): Worker[] {
    while (this.#workers.length < count) this.#workers.push(new Worker(this.#model, this.#options.threads));
    return this.#workers.slice(0, count);
  }

  #kill(): void {
    for (const worker of this.#workers) worker.kill();
    this.#workers = [];
  }
}

/** One process, which runs one chunk after the other. */
class Worker {
  readonly #child: ChildProcess;
  #words = '';
  #answer: { resolve: (result: ChunkResult) => void; reject: (error: Error) => void } | undefined;
  #death: Error | undefined;

  constructor(model: PopulationModel, threads: number) {
    this.#child = nodeModule('node:child_process').fork(programPath(), [], {
      execArgv: [],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...process.env, PALIMPSEST_THREADS: String(threads) },
    });
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#words = (this.#words + text).slice(-KEPT_CHARACTERS);
    });
    this.#child.on('message', (answer: ProcessAnswer) => {
      if (answer.type === 'ready') return;
      const waiting = this.#answer;
      this.#answer = undefined;
      if (answer.type === 'result') waiting?.resolve(answer.result);
      else waiting?.reject(new PalimpsestError(answer.error));
    });
    this.#child.on('error', (error) => this.#die(error.message));
    this.#child.on('close', (code, signal) => this.#die(signal ?? `code ${code}`));
    this.#send({ type: 'setup', model });
  }

  run(order: ChunkOrder): Promise<ChunkResult> {
    if (this.#death) return Promise.reject(this.#death);
    return new Promise((resolve, reject) => {
      this.#answer = { resolve, reject };
      this.#send({ type: 'order', order });
    });
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #send(message: ProcessSetup | ProcessOrder): void {
    // A process that dies before it hears is known by its exit.
    this.#child.send(message, () => {});
  }

  #die(how: string): void {
    const lines = this.#words.split('\n').filter((line) => /\S/.test(line));
    const reason = lines.find((line) => /^\S*Error\b/.test(line)) ?? lines.at(-1);
    this.#death ??= new PalimpsestError(
      `A process that judged members ended (${how})${reason ? `: ${reason.trim()}` : ''}; fewer rows at a time need less memory.`,
    );
    this.#answer?.reject(this.#death);
    this.#answer = undefined;
  }
}

/** The built program, which lies beside this module in the package and is built from its neighbour. */
function programPath(): string {
  const { existsSync } = nodeModule('node:fs');
  // No literal beside `import.meta.url`, which bundlers for browsers would take for a file that they have to bring along.
  const at = (place: string) => nodeModule('node:url').fileURLToPath(new URL(place, import.meta.url));
  const here = at('./population-process.js');
  return existsSync(here) ? here : at('../../../dist/population-process.js');
}
