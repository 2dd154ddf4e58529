import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import { InputError } from '@palimpsest/base';
import { afterAll, describe, expect, it } from 'vitest';
import { createAgentMemory } from '../src/agent/agent-memory.js';
import { memoryServer } from '../src/mcp/memory-server.js';
import { serveHttp, serveStdio } from '../src/mcp/serve.js';

const folder = mkdtempSync(join(tmpdir(), 'palimpsest-mcp-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Transport = Parameters<Client['connect']>[0];

async function use(transport: Transport) {
  const client = new Client({ name: 'test', version: '1.0.0' });
  await client.connect(transport);
  const call = async (name: string, args: Record<string, unknown> = {}) => {
    const { structuredContent, isError, content } = await client.callTool({ name, arguments: args });
    return isError ? { error: JSON.stringify(content) } : (structuredContent as Record<string, unknown>);
  };
  return { client, call };
}

const texts = (result: Record<string, unknown>) =>
  (result.memories as { text: string }[]).map(({ text }) => text);

/** What an agent does with a memory, through the official client. */
async function exercise({ client, call }: Awaited<ReturnType<typeof use>>) {
  const { tools } = await client.listTools();
  expect(tools.map(({ name }) => name)).toEqual([
    'memory_add',
    'memory_search',
    'memory_update',
    'memory_forget',
    'memory_list',
  ]);
  const hints = Object.fromEntries(tools.map(({ name, annotations }) => [name, annotations]));
  // Whoever is asked before something is changed may let these through.
  expect(Object.keys(hints).filter((name) => hints[name]?.readOnlyHint)).toEqual(['memory_list']);
  expect(Object.keys(hints).filter((name) => hints[name]?.idempotentHint)).toEqual([]);
  expect(await call('memory_add', { text: 'My dog is called Rufus.', metadata: { kind: 'pet' } })).toEqual({
    id: 0,
    known: false,
  });
  await call('memory_add', {
    text: 'The locker opens with 4580.',
    namespace: 'work',
    time: '2026-01-31T10:00:00Z',
  });
  expect(await call('memory_add', { text: 'my dog is called  Rufus.' })).toEqual({ id: 0, known: true });
  expect(texts(await call('memory_search', { query: 'what is my dog called', k: 1 }))).toEqual([
    'My dog is called Rufus.',
  ]);
  expect(texts(await call('memory_list', { namespace: 'work', until: '2026-02-01T00:00:00Z' }))).toHaveLength(
    1,
  );
  expect(texts(await call('memory_list', { where: { kind: 'pet' } }))).toHaveLength(1);
  expect(await call('memory_update', { id: 1, text: 'The locker opens with 1111.' })).toMatchObject({
    version: 1,
  });
  expect(await call('memory_forget', { id: 0 })).toEqual({ forgotten: true });
  expect(texts(await call('memory_list'))).toEqual(['The locker opens with 1111.']);
  expect(await call('memory_update', { id: 9, text: 'x' })).toEqual({
    error: expect.stringContaining('There is no memory 9.'),
  });
  expect(await call('memory_add', { text: '  ' })).toEqual({ error: expect.stringContaining('empty') });
  await client.close();
}

describe('a memory served by the Model Context Protocol', () => {
  it('is used by the official client', async () => {
    const memory = await createAgentMemory('none');
    const [own, other] = InMemoryTransport.createLinkedPair();
    await memoryServer(memory, '1.0.0').connect(own);
    await exercise(await use(other));
  });

  it('is used over HTTP, where no request needs another and none comes from elsewhere', async () => {
    const memory = await createAgentMemory('none', { folder: join(folder, 'http') });
    const serving = await serveHttp(memory, '1.0.0', 0);
    try {
      await exercise(await use(new StreamableHTTPClientTransport(new URL(serving.url)) as Transport));
      expect((await fetch(serving.url.replace('/mcp', '/other'))).status).toBe(404);
      const { request } = await import('node:http');
      const status = await new Promise<number | undefined>((resolve, reject) => {
        const { port, pathname } = new URL(serving.url);
        const sent = request(
          {
            port,
            path: pathname,
            method: 'POST',
            headers: {
              host: 'elsewhere.example',
              'content-type': 'application/json',
              accept: 'application/json, text/event-stream',
            },
          },
          (response) => resolve(response.resume().statusCode),
        );
        sent.once('error', reject);
        sent.end(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }));
      });
      expect(status).toBe(403);
    } finally {
      await serving.close();
      await memory.close();
    }
  });
});

describe('a port', () => {
  it('that another program uses is refused in one sentence', async () => {
    const memory = await createAgentMemory('none');
    const serving = await serveHttp(memory, '1.0.0', 0);
    const { port } = new URL(serving.url);
    await expect(serveHttp(memory, '1.0.0', Number(port))).rejects.toThrow(
      new InputError(
        `The port ${port} of 127.0.0.1 cannot be had: another program uses it; choose another one (--http).`,
      ),
    );
    await serving.close();
  });
});

describe('standard input', () => {
  it('is not waited for when the end was asked for already', async () => {
    const memory = await createAgentMemory('none');
    await serveStdio(memory, '1.0.0', AbortSignal.abort());
    expect(process.stdin.listenerCount('data')).toBe(0);
  });
});

describe('the folder of a memory', () => {
  it('is one process at a time', async () => {
    const place = join(folder, 'locked');
    const memory = await createAgentMemory('none', { folder: place });
    await expect(createAgentMemory('none', { folder: place })).rejects.toThrow('is in use by process');
    await memory.close();
    await (await createAgentMemory('none', { folder: place })).close();
  });

  it('is free again when the process that had it is gone', async () => {
    const place = join(folder, 'left');
    const lock = `
      const { FolderLock } = await import('@palimpsest/lm');
      const { mkdirSync } = await import('node:fs');
      mkdirSync(process.argv[1], { recursive: true });
      FolderLock.claim(process.argv[1], { file: 'memory.lock', use: 'is in use', advice: 'wait' });
      process.stdout.write('claimed');
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', lock, place], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    await expect(createAgentMemory('none', { folder: place })).rejects.toThrow(`by process ${child.pid}`);
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
    await (await createAgentMemory('none', { folder: place })).close();
  });
});
