import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { EventStream } from '../src/event-stream.js';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** The response to a client that asks and then reads nothing. */
async function unread(): Promise<{ response: ServerResponse; socket: Socket }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const asked = once(server, 'request');
  const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n'));
  socket.on('error', () => {}).pause();
  closing.push(() => {
    socket.destroy();
    server.close();
  });
  const [, response] = await asked;
  return { response, socket };
}

/** Sends until the stream is cut or the signal says so. @returns documents */
async function fill(events: EventStream, isOver: () => boolean): Promise<number> {
  const document = { text: 'a'.repeat(100_000) };
  let count = 0;
  for (; !isOver(); count++) await events.send(document);
  return count;
}

describe('events for a client that does not read', () => {
  it('are cut after a while', async () => {
    const { response } = await unread();
    const events = new EventStream(response, new AbortController().signal, 200);
    expect(await fill(events, () => response.destroyed)).toBeGreaterThan(0);
  });

  it('are no longer waited for once the server ends', async () => {
    const { response } = await unread();
    const leaving = new AbortController();
    const events = new EventStream(response, leaving.signal);
    setTimeout(() => leaving.abort(), 200);
    expect(await fill(events, () => leaving.signal.aborted)).toBeGreaterThan(0);
    expect(response.destroyed).toBe(false);
    // The last word, as that the server ends, waits neither.
    await events.send('[DONE]');
  });

  it('go on when it reads again', async () => {
    const { response, socket } = await unread();
    const events = new EventStream(response, new AbortController().signal);
    let received = 0;
    socket.on('data', ({ length }) => {
      received += length;
    });
    setTimeout(() => socket.resume(), 200);
    const end = performance.now() + 1000;
    const count = await fill(events, () => performance.now() > end);
    expect(response.destroyed).toBe(false);
    expect(received).toBeGreaterThan(100_000 * (count - 200));
    expect(received).toBeGreaterThan(1_000_000);
  });
});
