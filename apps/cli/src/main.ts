import { ExitCode } from './exit.js';
import { runCommandLine } from './program.js';
import { verbs } from './verbs/index.js';

const interruption = new AbortController();
process.on('SIGINT', () => {
  // The first Ctrl-C lets the verb save and stop; the second one does not wait for it.
  if (interruption.signal.aborted) process.exit(ExitCode.interrupted);
  interruption.abort();
});
// A reader that closes early, as `head` does, ends the output and is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(ExitCode.ok);
  throw error;
});

process.exitCode = await runCommandLine(verbs, process.argv.slice(2), interruption.signal);
