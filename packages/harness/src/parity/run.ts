import { type Engine, InputError } from '@palimpsest/tensor-core';
import { type CaseFile, findCases } from './cases.js';
import { compareOutput } from './compare.js';
import { createParityRegistry, type ParityRegistry } from './registry.js';
import type { CaseResult, ParityHandler, ParityReport } from './types.js';

export interface ParityOptions {
  /** Folder of golden cases; nested folders are searched too. */
  readonly folder: string;
  readonly handlers: readonly ParityHandler[];
  readonly engine: Engine;
  /** Keep only cases of this system. */
  readonly system?: string;
  /** Called after every case. */
  readonly onCase?: (result: CaseResult, done: number, total: number) => void;
}

/**
 * Recomputes every golden case below a folder and compares it. A kind nobody registered, a handler that throws or
 * compares nothing, and a broken case are failures of that case; the run goes on.
 *
 * @throws InputError when the folder does not exist or holds no case that was asked for.
 */
export async function runParity(options: ParityOptions): Promise<ParityReport> {
  const registry = createParityRegistry(options.handlers);
  const found = findCases(options.folder);
  const files =
    options.system === undefined ? found : found.filter(({ system }) => system === options.system);
  if (files.length === 0) {
    const systems = [...new Set(found.map(({ system }) => system))].join(', ');
    throw new InputError(
      `There is no golden case of '${options.system}' here; there are cases of ${systems}.`,
    );
  }
  const start = performance.now();
  const cases: CaseResult[] = [];
  for (const file of files) {
    const result = await runCase(file, registry, options.engine);
    cases.push(result);
    options.onCase?.(result, cases.length, files.length);
  }
  const passed = cases.filter((result) => result.passed).length;
  return {
    folder: options.folder,
    engine: options.engine.name,
    passed,
    failed: cases.length - passed,
    seconds: (performance.now() - start) / 1000,
    cases,
  };
}

async function runCase(file: CaseFile, registry: ParityRegistry, engine: Engine): Promise<CaseResult> {
  const start = performance.now();
  const { name, path, system, kind } = file;
  const result = (outcome: Pick<CaseResult, 'passed' | 'outputs' | 'error'>): CaseResult => ({
    name,
    path,
    system,
    kind,
    seconds: (performance.now() - start) / 1000,
    ...outcome,
  });
  const fail = (error: string) => result({ passed: false, outputs: [], error });
  if (file.problem !== undefined) return fail(file.problem);
  const handler = registry.find(system, kind);
  if (!handler) return fail(nobodyHandles(system, kind, registry));
  try {
    const outputs = (await handler.run(file.load(), { engine })).map(compareOutput);
    if (outputs.length === 0) return fail(`The handler of '${system}' / '${kind}' compared nothing.`);
    return result({ passed: outputs.every((output) => output.passed), outputs });
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

function nobodyHandles(system: string, kind: string, registry: ParityRegistry): string {
  const kinds = registry.kindsOf(system);
  if (kinds.length > 0) {
    return `No handler is registered for the kind '${kind}' of '${system}'; there are ${kinds.join(', ')}.`;
  }
  const systems = registry.systems.length > 0 ? registry.systems.join(', ') : 'none';
  return `No handler is registered for the system '${system}'; the systems are: ${systems}.`;
}
