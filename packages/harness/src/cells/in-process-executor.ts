import { createEngine, type Engine, type EngineName } from '@palimpsest/tensor-core';
import { type Executor, exclusiveLast } from './executor.js';
import type { Versions } from './key.js';
import { runCell } from './run-cell.js';
import type { EvaluationRegistry } from './task.js';

export interface InProcessOptions {
  readonly threads?: number | undefined;
  readonly versions?: Versions;
}

/** Computes cells one after the other in this process: for tests, debuggers and profilers. A crash ends everything. */
export function inProcessExecutor(
  registry: EvaluationRegistry,
  { threads, versions }: InProcessOptions = {},
): Executor {
  return {
    width: 1,
    async run(cells, hooks) {
      const engines = new Map<string, Engine>();
      try {
        for (const cell of exclusiveLast(cells)) {
          hooks.signal?.throwIfAborted();
          hooks.onStart(cell);
          const name = cell.spec.engine as EngineName;
          const engine = engines.get(name) ?? (await createEngine(name, { threads }));
          engines.set(name, engine);
          const result = await runCell(registry, cell.spec, {
            engine,
            versions,
            signal: hooks.signal,
            onProgress: (fraction, note) => hooks.onProgress(cell, fraction, note),
          });
          await hooks.onResult(cell, result);
        }
      } finally {
        for (const engine of engines.values()) await engine.dispose();
      }
    },
  };
}
