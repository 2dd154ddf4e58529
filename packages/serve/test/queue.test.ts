import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { metric, newFolder, serving, until } from './support/serving.js';

const { start } = serving();
const long = { model: 'tiny-llama3', prompt: 'Hello', max_tokens: 4096, temperature: 0 };

describe('a busy server', () => {
  it('lets as many wait as may, refuses the next with 429, and forgets whoever leaves', async () => {
    const { url, post } = await start({ parallel: 1, queue: 1 });
    const ask = (leave: AbortController) =>
      fetch(`${url}/v1/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(long),
        signal: leave.signal,
      }).catch(() => 'left');
    const [running, waiting] = [new AbortController(), new AbortController()];
    const first = ask(running);
    await until(async () => (await metric(url, 'requests_running')) === 1);
    const second = ask(waiting);
    await until(async () => (await metric(url, 'requests_waiting')) === 1);
    const third = await post('/v1/completions', long);
    expect(third.status).toBe(429);
    expect(await third.json()).toMatchObject({
      error: { type: 'rate_limit_error', code: 'queue_full', message: expect.stringContaining('1 wait') },
    });
    waiting.abort();
    expect(await second).toBe('left');
    await until(async () => (await metric(url, 'requests_waiting')) === 0);
    expect(await metric(url, 'requests_running')).toBe(1);
    running.abort();
    expect(await first).toBe('left');
    await until(async () => (await metric(url, 'requests_running')) === 0);
    expect(await metric(url, 'cancelled_total')).toBe(1);
    expect(await metric(url, 'tokens_written_total')).toBeLessThan(4096);
    expect((await post('/v1/completions', { ...long, max_tokens: 2 })).status).toBe(200);
  });

  it('stops a stream whose reader leaves', async () => {
    const { url, client } = await start({ parallel: 1 });
    const pieces = await client.completions.create({ ...long, stream: true });
    let count = 0;
    for await (const _ of pieces) {
      count += 1;
      if (count === 3) break;
    }
    await until(async () => (await metric(url, 'requests_running')) === 0);
    expect(await metric(url, 'cancelled_total')).toBe(1);
    expect(await metric(url, 'tokens_written_total')).toBeLessThan(4096);
  });

  it('shuts down and saves its sessions although a reader of a stream has stopped reading', async () => {
    const sessions = newFolder();
    const { url, client, close } = await start({ sessions, parallel: 2, maximumTokens: 1_000_000 });
    await client.completions.create({ ...long, max_tokens: 2, ...{ session: 'kept' } });
    const body = JSON.stringify({ ...long, max_tokens: 1_000_000, logprobs: 20, stream: true });
    const { port } = new URL(url);
    const socket = connect(Number(port), '127.0.0.1', () =>
      socket.write(
        `POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      ),
    );
    socket.on('error', () => {}).pause();
    let written = 0;
    // Everything between the two is full when no token is written any more.
    await until(async () => {
      await new Promise((resolve) => setTimeout(resolve, 300));
      const before = written;
      written = await metric(url, 'tokens_written_total');
      return written > 10 && written === before;
    }, 60_000);
    expect(await metric(url, 'requests_running')).toBe(1);
    expect(await close()).toBe(1);
    expect(readdirSync(sessions)).toEqual(['kept.session']);
    socket.destroy();
  }, 90_000);

  it('ends what is being written when it shuts down', async () => {
    const { url, client, close } = await start({ parallel: 1 });
    const whole = client.completions.create(long).catch((error: unknown) => error);
    await until(async () => (await metric(url, 'requests_running')) === 1);
    const waiting = client.completions.create(long).catch((error: unknown) => error);
    await until(async () => (await metric(url, 'requests_waiting')) === 1);
    await close();
    expect(await whole).toMatchObject({ status: 503, code: 'reply_stopped' });
    expect(await waiting).toMatchObject({ status: 503, code: 'shutting_down' });
  });
});
