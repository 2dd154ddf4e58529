import { InputError } from './errors.js';
import { formatBytes } from './text/format.js';

/** Bytes of memory that this process may use at most, where the runtime tells it. */
export function machineMemory(): number | undefined {
  const total = globalThis.process?.getBuiltinModule?.('node:os')?.totalmem();
  const constrained = globalThis.process?.constrainedMemory?.();
  // Without a limit the system tells a number beyond all memory.
  return constrained ? Math.min(total ?? constrained, constrained) : total;
}

/**
 * Refuses what can never fit, before work begins.
 * @param what and how its size comes about, as in 'A batch of 8 x 64 tokens'
 * @throws InputError with the bytes that are needed and those that are there.
 */
export function requireMemory(bytes: number, what: string): void {
  const memory = machineMemory() ?? Number.MAX_SAFE_INTEGER;
  if (bytes <= memory) return;
  throw new InputError(
    `${what} needs ${formatBytes(bytes)}, but this machine has ${formatBytes(memory)} of memory; choose smaller sizes.`,
  );
}
