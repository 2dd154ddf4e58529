import { InputError } from '@palimpsest/tensor-core';
import type { ParityHandler } from './types.js';

/** Finds the handler of a case by what its JSON says, never by a file's name. */
export interface ParityRegistry {
  find(system: string, kind: string): ParityHandler | undefined;
  /** The kinds that are registered for a system, for messages. */
  kindsOf(system: string): readonly string[];
  readonly systems: readonly string[];
}

/** @throws InputError when two handlers claim the same system and kind. */
export function createParityRegistry(handlers: readonly ParityHandler[]): ParityRegistry {
  const bySystem = new Map<string, Map<string, ParityHandler>>();
  for (const handler of handlers) {
    const kinds = bySystem.get(handler.system) ?? new Map<string, ParityHandler>();
    if (kinds.has(handler.kind)) {
      throw new InputError(
        `Two parity handlers claim the kind '${handler.kind}' of '${handler.system}'; register one.`,
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
