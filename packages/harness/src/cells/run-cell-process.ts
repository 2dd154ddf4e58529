import { type ChildProcess, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { CellProvenance, CellResult } from './cell.js';
import type { CellOrder, CellReport } from './cell-messages.js';
import { failedResult } from './failed-result.js';
import type { Versions } from './key.js';
import type { Cell } from './resolve-cell.js';

/** Characters kept of what a cell process prints on standard error: the end says why it died. */
const KEPT_CHARACTERS = 4000;

export interface CellProcessOptions {
  readonly versions: Versions;
  /** Threads of the engine for one operation. */
  readonly threads: number;
  /** Paths of modules whose mechanisms take part besides those of the house. */
  readonly plugins?: readonly string[];
  /** Seconds after which the cell is given up. Default: as long as it takes. */
  readonly timeoutSeconds?: number | undefined;
  /** Flags for Node, as `--max-old-space-size=4096`. */
  readonly nodeArguments?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (fraction: number, note: string) => void;
}

/** How a cell process ended: with a result of its own, or by a crash that stands in a result made here. */
export interface CellProcessEnd {
  readonly result: CellResult;
  readonly crashed: boolean;
}

/**
 * Computes one cell in a process of its own. A process that exits, is killed, runs out of memory or takes too long
 * becomes a failed result that says so.
 * @throws the signal's reason when it is aborted; the process is gone then.
 */
export async function runCellProcess(cell: Cell, options: CellProcessOptions): Promise<CellProcessEnd> {
  options.signal?.throwIfAborted();
  const start = performance.now();
  const child = fork(programPath(), [], {
    execArgv: [...(options.nodeArguments ?? [])],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { ...process.env, PALIMPSEST_THREADS: String(options.threads) },
  });
  let timedOut = false;
  const kill = () => child.kill('SIGKILL');
  options.signal?.addEventListener('abort', kill);
  const timer =
    options.timeoutSeconds === undefined
      ? undefined
      : setTimeout(() => {
          timedOut = true;
          kill();
        }, options.timeoutSeconds * 1000);
  try {
    const life = await follow(child, cell, options);
    if (options.signal?.aborted) throw options.signal.reason;
    if (life.result) return { result: life.result, crashed: false };
    const error = life.refused ?? (timedOut ? timeoutSentence(options.timeoutSeconds!) : crashSentence(life));
    const seconds = (performance.now() - start) / 1000;
    const { versions, threads } = options;
    const failure = { error, seconds, versions, threads, provenance: life.provenance };
    return { result: failedResult(cell, failure), crashed: !life.refused };
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', kill);
  }
}

interface Life {
  code: number | null;
  endSignal: NodeJS.Signals | null;
  /** The end of what it printed on standard error. */
  words: string;
  provenance?: CellProvenance;
  result?: CellResult;
  refused?: string;
}

/** Tells a cell process its cell and listens until it ends. */
function follow(child: ChildProcess, { spec }: Cell, options: CellProcessOptions): Promise<Life> {
  const { versions, threads, plugins = [] } = options;
  const order: CellOrder = { spec, versions, threads, plugins };
  const life: Life = { code: null, endSignal: null, words: '' };
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    life.words = (life.words + text).slice(-KEPT_CHARACTERS);
  });
  return new Promise((resolve) => {
    child.on('message', (report: CellReport) => {
      // A process that dies before it hears its cell is known by its exit; the failed sending adds nothing.
      if (report.type === 'ready') child.send(order, () => {});
      else if (report.type === 'start') life.provenance = report.provenance;
      else if (report.type === 'progress') options.onProgress?.(report.fraction, report.note);
      else if (report.type === 'result') life.result = report.result;
      else life.refused = report.error;
    });
    child.on('error', (error) => {
      life.words ||= error.message;
    });
    child.on('close', (code, endSignal) => resolve({ ...life, code, endSignal }));
  });
}

function timeoutSentence(seconds: number): string {
  return `The cell took longer than the ${seconds} s that it was given, and was ended.`;
}

function crashSentence({ code, endSignal, words }: Life): string {
  if (/heap out of memory|Array buffer allocation failed|bad_alloc/i.test(words))
    return 'The process of the cell ran out of memory.';
  if (endSignal === 'SIGKILL')
    return 'The process of the cell was killed with SIGKILL, as systems do when memory runs out.';
  const lines = words.split('\n').filter((line) => /\S/.test(line));
  const reason = lines.find((line) => /^\S*Error\b/.test(line)) ?? lines.at(-1);
  const end = endSignal === null ? `ended with code ${code}` : `was ended by ${endSignal}`;
  return `The process of the cell ${end}${reason ? `: ${reason.trim()}` : ''}.`.replace(/\.+$/, '.');
}

/** The built program of cell processes, which lies beside this module in the package and is built from its neighbour. */
function programPath(): string {
  const here = fileURLToPath(new URL('./cell-process.js', import.meta.url));
  return existsSync(here) ? here : fileURLToPath(new URL('../../dist/cell-process.js', import.meta.url));
}
