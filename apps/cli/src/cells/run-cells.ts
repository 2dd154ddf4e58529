import { existsSync } from 'node:fs';
import {
  type Cell,
  type CellSpecInput,
  cellVersions,
  type Executor,
  inProcessExecutor,
  isInShard,
  parseShard,
  processExecutor,
  queueExecutor,
  type Registry,
  ResultStore,
  resolveCells,
  runSweep,
  type SweepSummary,
} from '@palimpsest/harness';
import { createEngine, InputError } from '@palimpsest/tensor-core';
import type { z } from 'zod';
import { ExitCode } from '../exit.js';
import type { cellOptions, queueOptions, workerOptions } from '../options/cells.js';
import { createSweepReport } from '../terminal/sweep-report.js';
import type { VerbContext } from '../verb.js';

type Options<T extends z.ZodRawShape> = z.output<z.ZodObject<T>>;

/** Computes the cells that have no result in the folder yet, with progress, and saves each as it is finished. */
export async function runCells(
  cells: readonly CellSpecInput[],
  folder: string,
  options: Options<typeof cellOptions>,
  { output, signal, registry }: VerbContext,
): Promise<SweepSummary> {
  const { resume, retryFailed, shard } = options;
  const engine = await engineNameOf(options.engine);
  const store = await ResultStore.open(folder);
  const report = createSweepReport(output);
  try {
    return await runSweep({
      registry,
      cells,
      store,
      executor: executorOf(options, registry),
      engine,
      versions: cellVersions(),
      resume,
      retryFailed,
      shard: shard === undefined ? undefined : parseShard(shard),
      signal,
      onEvent: report.show,
    });
  } finally {
    report.stop();
  }
}

/** A cell that would be computed, or is finished already. */
export interface PlannedCell extends Cell {
  readonly finished: boolean;
}

/** What `runCells` would do, without doing it: not even the folder is made. */
export async function planCells(
  cells: readonly CellSpecInput[],
  folder: string,
  { engine, shard }: Options<typeof cellOptions>,
  registry: Registry,
): Promise<PlannedCell[]> {
  const names = { engine: await engineNameOf(engine), versions: cellVersions() };
  const part = shard === undefined ? undefined : parseShard(shard);
  const store = existsSync(folder) ? await ResultStore.openExisting(folder) : undefined;
  const chosen = resolveCells(registry, cells, names).filter(({ key }) => !part || isInShard(key, part));
  return chosen.map((cell) => ({ ...cell, finished: store?.has(cell.key) === true }));
}

/** What the exit code says about cells: interrupted, something failed or missed its tolerance, or all is well. */
export function exitCodeOf({ interrupted, results }: SweepSummary): ExitCode {
  if (interrupted) return ExitCode.interrupted;
  const isGood = results.every(({ status, outcome }) => status === 'done' && outcome?.passed !== false);
  return isGood ? ExitCode.ok : ExitCode.failed;
}

/** The options of processes on this machine. */
export function processSettings(
  { workers, threads, timeout, nodeOptions }: Options<typeof workerOptions>,
  { plugins }: Registry,
) {
  return {
    plugins,
    versions: cellVersions(),
    workers,
    threads,
    timeoutSeconds: timeout,
    nodeArguments: nodeOptions === undefined ? undefined : nodeOptions.split(/\s+/),
  };
}

/** The queue's address. @throws InputError when no server was named. */
export function queueAddress({ redis, queue }: Options<typeof queueOptions>) {
  if (redis !== undefined) return { redis, queue };
  throw new InputError('A queue needs a server; give it as --redis redis://host:6379.');
}

function executorOf(options: Options<typeof cellOptions>, registry: Registry): Executor {
  if (options.executor === 'bullmq') {
    return queueExecutor({ ...queueAddress(options), versions: cellVersions() });
  }
  const settings = processSettings(options, registry);
  if (options.executor === 'processes') return processExecutor(settings);
  const { threads, versions } = settings;
  return inProcessExecutor(registry, { versions, threads });
}

/** The name of the engine that will be used, which must load here. */
async function engineNameOf(name: Options<typeof cellOptions>['engine']): Promise<string> {
  const engine = await createEngine(name);
  await engine.dispose();
  return engine.name;
}
