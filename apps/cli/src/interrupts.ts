import { onBusy } from '@palimpsest/tensor-core';
import { ExitCode } from './exit.js';

/** Signals that ask a process to end: Ctrl-C, a service manager or `kill`, a terminal that was closed. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
type Signal = (typeof SIGNALS)[number];

/** What Ctrl-C and its kin do: they ask the verb to save and stop, and the second one ends the process. */
export interface Interrupts {
  /** Aborted by the first signal that nobody captured, or when the readers of the output are gone. */
  readonly signal: AbortSignal;
  /** How a process that was asked to end reports it: 128 and the number of the signal, as shells count. */
  readonly exitCode: ExitCode;
  /** Gives Ctrl-C to a handler, as a REPL that only stops its reply. Returns the function that gives it back. */
  capture(handler: () => void): () => void;
  /**
   * Says that the verb saves when it is asked to end: from then on a reader of the output that is gone asks for that too,
   * where it would otherwise end the process. Returns the function that takes it back.
   */
  saves(): () => void;
}

const CODES: Readonly<Record<Signal, ExitCode>> = {
  SIGINT: ExitCode.interrupted,
  SIGTERM: ExitCode.terminated,
  SIGHUP: ExitCode.hungUp,
};

/** Listens for the signals in this process, and for readers of its output that are gone. */
export function listenForInterrupts(): Interrupts {
  const abort = new AbortController();
  const handlers: (() => void)[] = [];
  let exitCode: ExitCode = ExitCode.interrupted;
  let saving = 0;

  const end = (code: ExitCode) => {
    if (abort.signal.aborted) process.exit(code);
    exitCode = code;
    abort.abort();
  };
  const listeners = SIGNALS.map((signal) => {
    const listener = () => {
      const handler = handlers.at(-1);
      if (signal === 'SIGINT' && handler) return handler();
      end(CODES[signal]);
    };
    return [signal, listener] as const;
  });
  const listen = () => {
    for (const [signal, listener] of listeners) process.on(signal, listener);
  };
  listen();
  // While the process is busy it hears nothing: the system ends it, as it does with programs that never listen.
  onBusy((busy) => {
    if (!busy) return listen();
    if (abort.signal.aborted) process.exit(exitCode);
    for (const [signal, listener] of listeners) process.off(signal, listener);
  });
  // A reader that closes early, as `head` does, ends the output and is no failure; what can be saved is saved.
  const onGone = (code: ExitCode) => (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
    if (saving === 0) process.exit(code);
    if (abort.signal.aborted) return;
    exitCode = code;
    abort.abort();
  };
  process.stdout.on('error', onGone(ExitCode.ok));
  process.stderr.on('error', onGone(ExitCode.hungUp));

  return {
    signal: abort.signal,
    get exitCode() {
      return exitCode;
    },
    capture(handler) {
      handlers.push(handler);
      return () => {
        handlers.splice(handlers.indexOf(handler), 1);
      };
    },
    saves() {
      saving += 1;
      return () => {
        saving -= 1;
      };
    },
  };
}
