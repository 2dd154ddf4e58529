import { InputError } from '../errors.js';
import type { GoldenHandler } from './contract.js';

/** Finds the handler of a case by what its JSON says, never by a file's name. */
export interface GoldenRegistry {
  find(system: string, kind: string): GoldenHandler | undefined;
  /** The kinds that are registered for a system, for messages. */
  kindsOf(system: string): readonly string[];
  readonly systems: readonly string[];
}

/** @throws InputError when two handlers claim the same system and kind. */
export function createGoldenRegistry(handlers: readonly GoldenHandler[]): GoldenRegistry {
  const bySystem = new Map<string, Map<string, GoldenHandler>>();
  for (const handler of handlers) {
    const kinds = bySystem.get(handler.system) ?? new Map<string, GoldenHandler>();
    if (kinds.has(handler.kind)) {
      throw new InputError(
        `Two golden handlers claim the kind '${handler.kind}' of '${handler.system}'; register one.`,
      );
    }
    bySystem.set(handler.system, kinds.set(handler.kind, handler));
  }
  return {
    find: (system, kind) => bySystem.get(system)?.get(kind),
    kindsOf: (system) => [...(bySystem.get(system)?.keys() ?? [])],
    systems: [...bySystem.keys()],
  };
}
