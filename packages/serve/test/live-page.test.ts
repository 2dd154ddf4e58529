import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type LivePage, type LivePageOptions, startLivePage } from '../src/index.js';

const open = new Set<LivePage>();
afterEach(async () => {
  for (const live of open) await live.close();
  open.clear();
});

async function start(options: Partial<LivePageOptions> = {}) {
  const state = { text: 'first', drawn: 0 };
  const render = async () => {
    state.drawn += 1;
    return `<p>${state.text}</p>`;
  };
  const live = await startLivePage({ render, interval: 50, ...options });
  open.add(live);
  const show = (text: string) => {
    state.text = text;
    live.changed();
  };
  return { live, state, show };
}

/** Pages that come as events, until the server ends or enough have come. */
async function* pagesOf(url: string): AsyncGenerator<string> {
  const { body } = await fetch(`${url}events`);
  let rest = '';
  for await (const chunk of body!.pipeThrough(new TextDecoderStream())) {
    const events = (rest + chunk).split('\n\n');
    rest = events.pop()!;
    for (const event of events) yield JSON.parse(event.replace(/^data: /, '')).page;
  }
}

/** The status that the server gives to one who asks for it by a name. */
async function statusFor(url: string, host: string): Promise<number | undefined> {
  const asked = request(url, { headers: { host } });
  asked.end();
  const [response] = await once(asked, 'response');
  response.resume();
  return response.statusCode;
}

describe('a live page', () => {
  it('is served whole, and anew whenever it changed', async () => {
    const { live, show } = await start();
    const response = await fetch(live.url);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(await response.text()).toBe('<p>first</p>');
    const pages = pagesOf(live.url);
    expect((await pages.next()).value).toBe('<p>first</p>');
    show('second');
    expect((await pages.next()).value).toBe('<p>second</p>');
    await pages.return(undefined);
  });

  it('is drawn no oftener than told, once for all who look, and the last state comes at once', async () => {
    const { live, state, show } = await start({ interval: 60_000 });
    const readers = [pagesOf(live.url), pagesOf(live.url)];
    for (const pages of readers) expect((await pages.next()).value).toBe('<p>first</p>');
    expect(state.drawn).toBe(1);
    for (let step = 0; step < 100; step++) show(`step ${step}`);
    expect(await (await fetch(live.url)).text()).toBe('<p>first</p>');
    await live.close();
    for (const pages of readers) {
      expect((await pages.next()).value).toBe('<p>step 99</p>');
      expect((await pages.next()).done).toBe(true);
    }
  });

  it('does not wait for long for who does not read', async () => {
    const { live } = await start({ render: async () => 'a'.repeat(50_000_000) });
    const socket = connect(Number(new URL(live.url).port), '127.0.0.1');
    socket.on('error', () => {});
    socket.write('GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await once(socket, 'readable');
    const begun = performance.now();
    await live.close();
    expect(performance.now() - begun).toBeLessThan(20_000);
    socket.destroy();
  });

  it('that cannot be drawn is a failed request, and nothing more', async () => {
    let works = false;
    const render = async () => {
      if (works) return 'fine';
      throw new Error('no picture');
    };
    const { live } = await start({ render, interval: 1 });
    expect((await fetch(live.url)).status).toBe(500);
    works = true;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await (await fetch(live.url)).text()).toBe('fine');
  });

  it('is for this machine: no foreign name, no address that others reach', async () => {
    const { live } = await start();
    expect(await statusFor(live.url, 'localhost')).toBe(200);
    expect(await statusFor(live.url, 'example.com')).toBe(403);
    expect(await statusFor(`${live.url}events`, 'example.com')).toBe(403);
    await expect(start({ host: '0.0.0.0' })).rejects.toThrow("'0.0.0.0' can be reached from others");
  });
});
