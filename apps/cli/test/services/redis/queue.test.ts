import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { emptyFolder, palimpsest } from '../../support/cli.js';

let server: ChildProcess;
let redis: string;
beforeAll(async () => {
  const port = await freePort();
  redis = `redis://127.0.0.1:${port}`;
  const flags = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', emptyFolder()];
  server = spawn('redis-server', flags, { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  await new Promise<void>((resolve, reject) => {
    server.stdout!.on('data', (text) => {
      printed += text;
      if (printed.includes('Ready to accept connections')) resolve();
    });
    server.once('close', () => reject(new Error(printed)));
  });
});
afterAll(async () => {
  const ended = new Promise((resolve) => server.once('close', resolve));
  server.kill();
  await ended;
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}

describe('palimpsest sweep --executor bullmq', () => {
  it('hands cells to workers, of which one is killed in the middle of a cell', async () => {
    const cwd = emptyFolder();
    const task = { name: 'sketch-error', options: { sketchDims: [64, 128], trials: 20 } };
    writeFileSync(
      join(cwd, 'grid.json'),
      JSON.stringify({ tasks: [task], seeds: [1, 2, 3, 4], engine: 'cpu' }),
    );
    const worker = (out: string, onStart?: (child: ChildProcess) => void) =>
      palimpsest(
        [
          'sweep',
          'worker',
          '--redis',
          redis,
          '--workers',
          '1',
          '--out',
          out,
          '--stalled-after',
          '1',
          '--idle',
          '4',
        ],
        { cwd, onStart },
      );
    const killed = worker('first', (child) => {
      child.stderr!.on('data', (text: string) => {
        if (text.includes('▸')) child.kill('SIGKILL');
      });
    });
    const sweep = palimpsest(['sweep', 'grid.json', '--executor', 'bullmq', '--redis', redis], { cwd });
    expect((await killed).code).toBe(null);
    const second = worker('second');
    const { code, stdout, stderr } = await sweep;
    expect(code).toBe(0);
    expect(stdout).toContain('4 of 4 cells done, 0 failed; folder sweep-results\n');
    expect(stderr).toMatch(/4 of 4 done, 0 running, 0 failed, 0 s left\n$/);
    expect(await second).toMatchObject({ code: 0, stdout: '4 cells finished\n' });
    const cells = readdirSync(join(cwd, 'sweep-results', 'cells'));
    expect(cells).toHaveLength(4);
    expect(readdirSync(join(cwd, 'second', 'cells')).sort()).toEqual(cells.sort());
  });

  it('ends at Ctrl-C, worker and sweep', async () => {
    const cwd = emptyFolder();
    const interrupt = (child: ChildProcess) => void sleep(2500).then(() => child.kill('SIGINT'));
    const flags = ['--redis', redis, '--queue', 'nobody'];
    const [worker, sweep] = await Promise.all([
      palimpsest(['sweep', 'worker', '--redis', redis], { cwd, onStart: interrupt }),
      palimpsest(['sweep', '--tasks', 'sketch-error', '--executor', 'bullmq', ...flags], {
        cwd,
        onStart: interrupt,
      }),
    ]);
    expect(worker).toMatchObject({ code: 130, stdout: '0 cells finished\n' });
    expect(sweep.code).toBe(130);
    expect(sweep.stdout).toContain('0 of 1 cells done, 0 failed');
  });

  it('says in one sentence that there is no server, with code 2', async () => {
    for (const args of [
      ['sweep', 'worker'],
      ['sweep', '--tasks', 'sketch-error', '--executor', 'bullmq'],
    ]) {
      const { code, stderr } = await palimpsest([...args, '--redis', 'redis://127.0.0.1:1', '--quiet']);
      expect(code).toBe(2);
      expect(stderr).toMatch(
        /^error: The Redis server redis:\/\/127\.0\.0\.1:1 cannot be used \(.*\); start one, .*\n$/,
      );
    }
  });
});
