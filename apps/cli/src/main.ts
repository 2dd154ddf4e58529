import { ExitCode } from './exit.js';
import { listenForInterrupts } from './interrupts.js';
import { runCommandLine } from './program.js';
import { verbs } from './verbs/index.js';

// A reader that closes early, as `head` does, ends the output and is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(ExitCode.ok);
  throw error;
});

process.exitCode = await runCommandLine(verbs, process.argv.slice(2), listenForInterrupts());
