import { ExitCode } from './exit.js';
import { listenForInterrupts } from './interrupts.js';
import { runCommandLine } from './program.js';
import { verbsOf } from './verbs/index.js';

// Whoever listened did so while this was loaded.
process.removeAllListeners('SIGINT');
const interrupts = listenForInterrupts();
const code = await runCommandLine(verbsOf, process.argv.slice(2), interrupts);
process.exitCode = code === ExitCode.interrupted ? interrupts.exitCode : code;
