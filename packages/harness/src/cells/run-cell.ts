import { contestantOf } from '@palimpsest/lm';
import { createEngine, type Engine, type EngineName } from '@palimpsest/tensor-core';
import { cellVersions, describeCellProvenance } from '../results/provenance.js';
import {
  type CellProvenance,
  type CellResult,
  type CellSpecInput,
  type TaskOutcome,
  taskOutcomeSchema,
} from './cell.js';
import type { Versions } from './key.js';
import { type Cell, firstIssue, resolveCell } from './resolve-cell.js';
import type { EvaluationRegistry, TaskContext } from './task.js';

export interface RunCellOptions {
  /** Runs the cell; default: one made by the cell's own engine name, and disposed of at the end. */
  readonly engine?: Engine;
  /** Threads of that engine for one operation. Default: as `createEngine` decides. */
  readonly threads?: number;
  /** Default: those of this build. */
  readonly versions?: Versions | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called when the engine is there and the task is about to begin. */
  readonly onStart?: (provenance: CellProvenance) => void;
  /** How far the task is, from 0 to 1, and what it is doing. */
  readonly onProgress?: (fraction: number, note: string) => void;
}

/**
 * Computes one cell in this process. A task that fails becomes a result with the status `failed`.
 * @throws InputError for a specification that does not exist; EngineError when its engine cannot be loaded; the signal's
 *   reason when it is aborted.
 */
export async function runCell(
  registry: EvaluationRegistry,
  input: CellSpecInput,
  options: RunCellOptions = {},
): Promise<CellResult> {
  options.signal?.throwIfAborted();
  const { engine: given, threads, versions = cellVersions() } = options;
  const engine = given ?? (await createEngine(input.engine as EngineName, { threads }));
  try {
    return await measure(resolveCell(registry, input, { engine: engine.name, versions }), engine, {
      ...options,
      versions,
    });
  } finally {
    if (!given) await engine.dispose();
  }
}

type Attempt = Pick<CellResult, 'status' | 'outcome' | 'error'>;

async function measure(cell: Cell, engine: Engine, options: RunCellOptions): Promise<CellResult> {
  const provenance = describeCellProvenance(engine.describe(), options.versions);
  options.onStart?.(provenance);
  const start = performance.now();
  const processorTime = process.cpuUsage();
  const attempt = await attemptTask(cell, engine, options);
  const { user, system } = process.cpuUsage(processorTime);
  return {
    format: 'palimpsest-cell',
    version: 1,
    key: cell.key,
    spec: cell.spec,
    ...attempt,
    provenance,
    date: new Date().toISOString(),
    seconds: (performance.now() - start) / 1000,
    cpuSeconds: (user + system) / 1e6,
    // Node gives kilobytes on every platform.
    peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
  };
}

async function attemptTask(cell: Cell, engine: Engine, options: RunCellOptions): Promise<Attempt> {
  const { signal } = options;
  try {
    const outcome = await cell.task.run(contextOf(cell, engine, options), cell.taskOptions);
    signal?.throwIfAborted();
    return { status: 'done', outcome: checkOutcome(outcome) };
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    return { status: 'failed', error: sentenceOf(error) };
  }
}

function contextOf(cell: Cell, engine: Engine, { signal, onProgress }: RunCellOptions): TaskContext {
  const { spec, contender, modelOptions } = cell;
  return {
    engine,
    contestant: contender && contestantOf(contender, modelOptions),
    learningRate: spec.learningRate ?? 0,
    seed: spec.seed,
    signal,
    progress: (fraction, note) => onProgress?.(fraction, note),
  };
}

function checkOutcome(given: unknown): TaskOutcome {
  const result = taskOutcomeSchema.safeParse(given);
  if (result.success) return result.data;
  throw new Error(`The task reported something that is no outcome: ${firstIssue(result.error)}.`);
}

/** An error's first line: what failed, without the stack. */
export function sentenceOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split('\n')[0]!.trim() || 'The task failed without saying why.';
}
