import { ExitCode } from './exit.js';

/** What Ctrl-C does: by default it asks the verb to save and stop, and the second one ends the process. */
export interface Interrupts {
  /** Aborted by the first Ctrl-C that nobody captured. */
  readonly signal: AbortSignal;
  /** Gives Ctrl-C to a handler, as a REPL that only stops its reply. Returns the function that gives it back. */
  capture(handler: () => void): () => void;
}

/** Listens for Ctrl-C in this process. */
export function listenForInterrupts(): Interrupts {
  const abort = new AbortController();
  const handlers: (() => void)[] = [];
  process.on('SIGINT', () => {
    const handler = handlers.at(-1);
    if (handler) return handler();
    if (abort.signal.aborted) process.exit(ExitCode.interrupted);
    abort.abort();
  });
  return {
    signal: abort.signal,
    capture(handler) {
      handlers.push(handler);
      return () => {
        handlers.splice(handlers.indexOf(handler), 1);
      };
    },
  };
}
