import { ExitCode } from './exit.js';
import { listenForInterrupts } from './interrupts.js';
import { runCommandLine } from './program.js';
import { verbs } from './verbs/index.js';

const interrupts = listenForInterrupts();
const code = await runCommandLine(verbs, process.argv.slice(2), interrupts);
process.exitCode = code === ExitCode.interrupted ? interrupts.exitCode : code;
