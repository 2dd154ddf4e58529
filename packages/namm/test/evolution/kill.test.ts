import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';

const program = fileURLToPath(new URL('./support/evolve-program.mjs', import.meta.url));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'namm-kill-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the program; kills it a moment after it printed so many lines. Gives what it printed. */
function run(
  into: string,
  workers: number,
  killAfter?: { lines: number; milliseconds: number },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, into, String(workers)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let printed = '';
    let isDoomed = false;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
      if (!killAfter || isDoomed || printed.split('\n').length <= killAfter.lines) return;
      isDoomed = true;
      setTimeout(() => child.kill('SIGKILL'), killAfter.milliseconds);
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0 || (isDoomed && signal === 'SIGKILL')) resolve(printed);
      else reject(new Error(`the program ended with ${signal ?? code}`));
    });
  });
}

it('an evolution that is killed again and again ends with the bytes of one that was not', {
  timeout: 600_000,
}, async () => {
  const [whole, killed] = [join(folder, 'whole'), join(folder, 'killed')];
  await run(whole, 1);
  // In the first generation, between two, and in the middle of one; with another number of processes each time.
  await run(killed, 2, { lines: 3, milliseconds: 0 });
  await run(killed, 1, { lines: 5, milliseconds: 40 });
  await run(killed, 3, { lines: 4, milliseconds: 5 });
  const rest = await run(killed, 2);
  expect(rest).toContain('end 6');
  for (const file of ['latest.safetensors', 'best.safetensors']) {
    expect(readFileSync(join(killed, file)).equals(readFileSync(join(whole, file))), file).toBe(true);
  }
});
