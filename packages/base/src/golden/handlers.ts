import { InputError } from '../errors.js';
import type { GoldenSource } from './case.js';
import type { GoldenHandler, GoldenPart, GoldenStatement } from './contract.js';
import type { ToleranceStatements } from './tolerances.js';

/** Finds the handler of a case by what its JSON says, never by a file's name. */
export interface GoldenRegistry {
  find(system: string, kind: string): GoldenHandler | undefined;
  /** The case with the settings that were stated for it. */
  settled(source: GoldenSource): GoldenSource;
  /** The tolerances that were stated for a case besides those of its JSON. */
  tolerancesOf(source: GoldenSource): ToleranceStatements;
  /** The kinds that are registered for a system, for messages. */
  kindsOf(system: string): readonly string[];
  readonly systems: readonly string[];
}

/** @throws InputError when two handlers claim the same system and kind. */
export function createGoldenRegistry(parts: readonly GoldenPart[]): GoldenRegistry {
  const bySystem = new Map<string, Map<string, GoldenHandler>>();
  const statements: GoldenStatement[] = [];
  for (const handler of parts) {
    if (!('run' in handler)) {
      statements.push(handler);
      continue;
    }
    const kinds = bySystem.get(handler.system) ?? new Map<string, GoldenHandler>();
    if (kinds.has(handler.kind)) {
      throw new InputError(
        `Two golden handlers claim the kind '${handler.kind}' of '${handler.system}'; register one.`,
      );
    }
    bySystem.set(handler.system, kinds.set(handler.kind, handler));
  }
  const about = ({ system, name }: GoldenSource) =>
    statements.filter((one) => one.system === system && one.cases.includes(name));
  return {
    settled: (source) => {
      const settings = about(source).map((one) => one.settings ?? {});
      return { ...source, json: { ...Object.assign({}, ...settings), ...source.json } };
    },
    tolerancesOf: (source) => Object.assign({}, ...about(source).map((one) => one.tolerances ?? {})),
    find: (system, kind) => bySystem.get(system)?.get(kind),
    kindsOf: (system) => [...(bySystem.get(system)?.keys() ?? [])],
    systems: [...bySystem.keys()],
  };
}
