import { PalimpsestError } from './errors.js';

/**
 * A built-in module of Node.js, taken at the moment it is needed and without an import statement, so that bundlers for
 * browsers have nothing to resolve.
 * @throws PalimpsestError where there is none (a browser).
 */
export function nodeModule<Name extends keyof NodeModules>(name: Name): NodeModules[Name] {
  const builtin = globalThis.process?.getBuiltinModule?.(name);
  if (builtin === undefined) {
    throw new PalimpsestError(`Files need Node.js 20.19 or newer: '${name}' does not exist in this runtime.`);
  }
  return builtin as NodeModules[Name];
}

interface NodeModules {
  'node:fs': typeof import('node:fs');
  'node:path': typeof import('node:path');
  'node:crypto': typeof import('node:crypto');
  'node:os': typeof import('node:os');
  'node:url': typeof import('node:url');
  'node:child_process': typeof import('node:child_process');
  'node:worker_threads': typeof import('node:worker_threads');
  'node:zlib': typeof import('node:zlib');
}
