/** What the process's exit code tells a script. */
export const ExitCode = {
  ok: 0,
  /** The command ran, and something it checked is wrong; or it failed for a reason that is not the user's. */
  failed: 1,
  /** The user's input is wrong; nothing was done. */
  badInput: 2,
  /** Ended by Ctrl-C, after saving. */
  interrupted: 130,
  /** Ended because its terminal or the reader of its messages is gone, after saving. */
  hungUp: 129,
  /** Ended by `kill` or a service manager, after saving. */
  terminated: 143,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];
