import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface RedisServer {
  readonly url: string;
  stop(): Promise<void>;
  /** Ends it at once and starts another one, without its data, in its place. */
  restart(): Promise<void>;
}

/** Starts a Redis server of its own on a free port, which keeps nothing. */
export async function startRedis(): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'palimpsest-redis-'));
  const port = await freePort();
  const flags = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    'no',
    '--dir',
    folder,
  ];
  const start = async () => {
    const started = spawn('redis-server', flags, { stdio: ['ignore', 'pipe', 'inherit'] });
    await untilPrinted(started, /Ready to accept connections/);
    return started;
  };
  let child = await start();
  const end = async (signal: NodeJS.Signals) => {
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill(signal);
    await ended;
  };
  return {
    url: `redis://127.0.0.1:${port}`,
    async restart() {
      await end('SIGKILL');
      child = await start();
    },
    async stop() {
      await end('SIGTERM');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Resolves when a process has printed what is waited for. @throws Error when it ends before. */
export function untilPrinted(child: ChildProcess, pattern: RegExp): Promise<void> {
  let printed = '';
  return new Promise((resolve, reject) => {
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
      if (pattern.test(printed)) resolve();
    });
    child.once('error', reject);
    child.once('close', (code) => reject(new Error(`It ended with code ${code} after printing: ${printed}`)));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
