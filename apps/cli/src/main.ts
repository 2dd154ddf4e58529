import { ExitCode } from './exit.js';
import { listenForInterrupts } from './interrupts.js';
import { runCommandLine } from './program.js';
import { verbsOf } from './verbs/index.js';

const interrupts = listenForInterrupts();
const code = await runCommandLine(verbsOf, process.argv.slice(2), interrupts);
process.exitCode = code === ExitCode.interrupted ? interrupts.exitCode : code;
