import type { ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { InputError } from '@palimpsest/base';
import fastify, { type FastifyInstance } from 'fastify';
import { isLoopback, refuseConnection, requireOwnHost } from './callers.js';
import { DrawnPage } from './drawn-page.js';
import { EventStream } from './event-stream.js';

export interface LivePageOptions {
  /** The whole page as it stands now, as HTML. Asked for only while somebody looks. */
  readonly render: () => Promise<string>;
  /** An address of this machine that no other one reaches. Default '127.0.0.1' */
  readonly host?: string;
  /** Default 0: any that is free */
  readonly port?: number;
  /** Milliseconds from one page to the next, at least; more where drawing one takes long. Default 2000 */
  readonly interval?: number;
}

/** A page that changes while it is looked at. */
export interface LivePage {
  /** As `http://127.0.0.1:4000/`. */
  readonly url: string;
  /** Says that a new page differs from the last one. */
  changed(): void;
  /** Sends everybody who looks the page as it stands, and ends. */
  close(): Promise<void>;
}

const TYPE = 'text/html; charset=utf-8';
const HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };
/** How long a reader has to take the last page, milliseconds. */
const FAREWELL = 2000;

/**
 * Serves one page to the browsers of this machine: whole under `/`, and anew as server-sent events `{ page }` under `/events`,
 * as the page's own script expects. Whoever asks for the machine by a foreign name is refused.
 * @throws InputError for an address that other machines reach, or that cannot be listened at.
 */
export async function startLivePage(options: LivePageOptions): Promise<LivePage> {
  const { host = '127.0.0.1', port = 0, interval = 2000 } = options;
  if (!isLoopback(host))
    throw new InputError(`A live page is for this machine alone, and '${host}' can be reached from others.`);
  const drawn = new DrawnPage(options.render, interval);
  const app = fastify({ forceCloseConnections: true, clientErrorHandler: refuseConnection });
  requireOwnHost(app);
  app.get('/', async (_request, reply) => {
    reply.headers(HEADERS).type(TYPE);
    return (await drawn.newest()).page;
  });
  const readers = new Set<Promise<void>>();
  app.get('/events', (_request, reply) => {
    reply.hijack();
    const reader = read(drawn, reply.raw);
    readers.add(reader);
    void reader.finally(() => readers.delete(reader));
  });
  const url = await listen(app, host, port);
  return {
    url: `${url}/`,
    changed: () => drawn.changed(),
    async close() {
      drawn.end();
      const late = new AbortController();
      const ended = pause(FAREWELL, undefined, { signal: late.signal }).catch(() => {});
      await Promise.race([Promise.all(readers), ended]);
      late.abort();
      await app.close();
    },
  };
}

async function listen(app: FastifyInstance, host: string, port: number): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (error) {
    await app.close();
    throw new InputError(`Nothing can listen at ${host}, port ${port}: ${(error as Error).message}.`);
  }
}

/** Sends one reader every page that is new to it, as fast as it reads them. */
async function read(drawn: DrawnPage, response: ServerResponse): Promise<void> {
  const left = new AbortController();
  response.once('close', () => left.abort());
  const stream = new EventStream(response, left.signal);
  let seen = -1;
  try {
    while (!drawn.isLast(seen)) {
      await drawn.after(seen, left.signal);
      const { version, page } = await drawn.newest();
      // Timers may end a fraction of a millisecond early: the drawing is the one that was sent then.
      if (version !== seen) await stream.send({ page });
      seen = version;
    }
    await new Promise<void>((resolve) => response.end(resolve));
  } catch {
    // The reader left, or the page cannot be drawn, which is no reason for a run to end.
    response.destroy();
  }
}
