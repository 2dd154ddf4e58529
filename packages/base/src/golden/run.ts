import { InputError } from '../errors.js';
import { GoldenCase, type GoldenSource } from './case.js';
import type { OutputComparison } from './compare.js';
import { CaseComparison, isHiddenMember } from './compare-case.js';
import type { GoldenHandler, GoldenPart } from './contract.js';
import { type CaseFile, findCases } from './find.js';
import { createGoldenRegistry, type GoldenRegistry } from './handlers.js';
import { withoutMembers } from './json-paths.js';
import type { CaseResult, GoldenReport } from './report.js';

export interface GoldenOptions {
  /** Folder of golden cases; nested folders are searched too. */
  readonly folder: string;
  /** Handlers, and what cases state in words only. */
  readonly handlers: readonly GoldenPart[];
  /** A tensor-core Engine, handed to the handlers; without one, only cases computed on the host can run. */
  readonly engine?: { readonly name: string };
  /** Keep only cases of this system. */
  readonly system?: string | undefined;
  /** Called after every case. */
  readonly onCase?: (result: CaseResult, done: number, total: number) => void;
}

/**
 * Recomputes every golden case below a folder and compares it. A kind nobody registered, a handler that throws or
 * compares nothing, and a broken case are failures of that case; the run goes on.
 *
 * @throws InputError when the folder does not exist or holds no case that was asked for.
 */
export async function runGolden(options: GoldenOptions): Promise<GoldenReport> {
  const registry = createGoldenRegistry(options.handlers);
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
    engine: options.engine?.name ?? 'host',
    passed,
    failed: cases.length - passed,
    seconds: (performance.now() - start) / 1000,
    cases,
  };
}

/** Compares one case with what its handler computes. @throws whatever the handler throws. */
async function compareCase(
  handler: GoldenHandler,
  given: GoldenSource,
  registry: GoldenRegistry,
  engine: unknown,
): Promise<OutputComparison[]> {
  const source = registry.settled(given);
  const visible = withoutMembers(source.json, (path) => isHiddenMember(handler, path));
  const testCase = new GoldenCase(source, visible, handler.given);
  const outputs = await handler.run(testCase, { engine });
  return new CaseComparison(source, handler, registry.tolerancesOf(source)).compare(outputs, testCase);
}

/**
 * The outputs of a case that fail, each with its reason: what a package's own tests expect to be empty.
 * @throws whatever the handler throws, and InputError when no handler takes the case.
 */
export async function caseFailures(
  handlers: readonly GoldenPart[],
  source: GoldenSource,
  engine?: unknown,
): Promise<string[]> {
  const registry = createGoldenRegistry(handlers);
  const handler = registry.find(source.system, source.kind);
  if (!handler) throw new InputError(nobodyHandles(source.system, source.kind, registry));
  const outputs = await compareCase(handler, source, registry, engine);
  if (outputs.length === 0) return ['nothing was compared'];
  return outputs.filter(({ passed }) => !passed).map(({ name, reason }) => `${name}: ${reason}`);
}

async function runCase(file: CaseFile, registry: GoldenRegistry, engine: unknown): Promise<CaseResult> {
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
    const outputs = await compareCase(handler, file.load(), registry, engine);
    if (outputs.length === 0) return fail(`The handler of '${system}' / '${kind}' compared nothing.`);
    return result({ passed: outputs.every((output) => output.passed), outputs });
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

/** What fails in a report, one line per output; empty when everything passed. */
export function goldenFailures(report: GoldenReport): string[] {
  return report.cases
    .filter(({ passed }) => !passed)
    .flatMap(({ system, name, path, error, outputs }) => {
      const where = `${system}/${name} (${path})`;
      if (error !== undefined) return [`${where}: ${error}`];
      return outputs
        .filter((output) => !output.passed)
        .map((output) => `${where}, ${output.name}: ${output.reason}`);
    });
}

function nobodyHandles(system: string, kind: string, registry: GoldenRegistry): string {
  const kinds = registry.kindsOf(system);
  if (kinds.length > 0) {
    return `No handler is registered for the kind '${kind}' of '${system}'; there are ${kinds.join(', ')}.`;
  }
  const systems = registry.systems.length > 0 ? registry.systems.join(', ') : 'none';
  return `No handler is registered for the system '${system}'; the systems are: ${systems}.`;
}
