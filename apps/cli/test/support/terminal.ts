import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import xterm from '@xterm/headless';
import { emptyFolder, program } from './cli.js';

export interface Seen {
  readonly code: number | null;
  /** What the terminal shows at the end, and what has scrolled off its top. */
  readonly lines: readonly string[];
}

/** Runs the built command with both outputs on one terminal of so many columns, and reads its screen. */
export async function onTerminal(args: readonly string[], cwd = emptyFolder(), columns = 80): Promise<Seen> {
  const pretend = join(emptyFolder(), 'terminal.mjs');
  writeFileSync(
    pretend,
    `for (const stream of [process.stdout, process.stderr]) Object.assign(stream, { isTTY: true, columns: ${columns}, rows: 24 });`,
  );
  // One file for both, as a terminal is: two pipes would be read in another order than they were written.
  const written = join(emptyFolder(), 'written');
  const file = openSync(written, 'w');
  const child = spawn(process.execPath, ['--import', pathToFileURL(pretend).href, program, ...args], {
    cwd,
    env: { ...process.env, NO_COLOR: '1', npm_command: '' },
    stdio: ['ignore', file, file],
  });
  const terminal = new xterm.Terminal({
    cols: columns,
    rows: 24,
    scrollback: 10_000,
    convertEol: true,
    allowProposedApi: true,
  });
  const [code] = (await once(child, 'close')) as [number | null];
  closeSync(file);
  await new Promise<void>((resolve) => terminal.write(readFileSync(written), resolve));
  const { active } = terminal.buffer;
  const lines = Array.from({ length: active.length }, (_, row) => active.getLine(row)!);
  const isWrapped = lines.some((line) => line.isWrapped);
  if (isWrapped) throw new Error('A line was longer than the terminal is wide.');
  return { code, lines: lines.map((line) => line.translateToString(true)) };
}
