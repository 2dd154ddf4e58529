import { setMaxListeners } from 'node:events';
import { basename, resolve } from 'node:path';
import { InputError } from '@palimpsest/base';
import type { LanguageModel } from '@palimpsest/harness';
import { Session } from '@palimpsest/lm';
import type { Engine } from '@palimpsest/tensor-core';
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import type { Desk } from './answer.js';
import { isLoopback, refuseConnection, requireKey, requireOwnHost } from './callers.js';
import { ApiError, describeError, isInternal, shuttingDown } from './errors.js';
import { Metrics } from './metrics.js';
import { addRoutes } from './routes.js';
import { SessionPool } from './session-pool.js';
import { SessionStore } from './session-store.js';

/** What a server serves, where, and how much it takes. */
export interface ServerOptions {
  readonly engine: Engine;
  /** The model, with the memory that its replies are written in. */
  readonly language: LanguageModel;
  /** Name of the model for clients. Default: that of its folder or file. */
  readonly name?: string | undefined;
  /** Default '127.0.0.1'. */
  readonly host?: string | undefined;
  /** Default 8080; 0: any that is free. */
  readonly port?: number | undefined;
  /** What clients have to send as a bearer token. Default: nothing. */
  readonly apiKey?: string | undefined;
  /** Replies that are written side by side, each in a memory of its own. Default 4. */
  readonly parallel?: number | undefined;
  /** Requests that may wait; further ones are refused with 429. Default 64. */
  readonly queue?: number | undefined;
  /** Most tokens of a reply. Default 4096. */
  readonly maximumTokens?: number | undefined;
  /** Most tokens of a prompt. Default 16384. */
  readonly maximumPromptTokens?: number | undefined;
  /** Most bytes of a request's body. Default 1 MiB. */
  readonly bodyLimit?: number | undefined;
  /** Folder where sessions are saved. Default 'palimpsest-sessions'. */
  readonly sessions?: string | undefined;
  /** Sessions that are held in memory; older ones are in their files. Default 64. */
  readonly heldSessions?: number | undefined;
  /** Sessions that are kept in all; a request for one more is refused. Default 1000. */
  readonly maximumSessions?: number | undefined;
  /** Told what went wrong inside. */
  readonly onFailure?: ((error: unknown) => void) | undefined;
}

/** A server that listens. */
export interface RunningServer {
  /** As `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Name of the model. */
  readonly model: string;
  /** Ends what is being written, saves all sessions and gives everything back but the engine. @returns sessions that were written */
  close(): Promise<number>;
}

/**
 * Serves a model over HTTP with OpenAI's shapes, and sessions whose memory is kept by id.
 * @throws InputError for an address that cannot be listened at, and a folder for sessions that cannot be used or that
 * another server uses.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { sessions = 'palimpsest-sessions', onFailure = () => {} } = options;
  const bounds = { held: options.heldSessions ?? 64, most: options.maximumSessions ?? 1000 };
  const store = SessionStore.open(sessions, bounds, onFailure);
  try {
    return await startWith(store, options, onFailure);
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function startWith(
  store: SessionStore,
  options: ServerOptions,
  onFailure: (error: unknown) => void,
): Promise<RunningServer> {
  const { engine, language, host = '127.0.0.1', port = 8080 } = options;
  const { model, params, parametersId } = language;
  const first = await Session.create({ engine, model, params, parametersId });
  const pool = await SessionPool.create(first, options.parallel ?? 4, options.queue ?? 64);
  const limits = {
    maximumTokens: options.maximumTokens ?? 4096,
    maximumPromptTokens: options.maximumPromptTokens ?? 16_384,
  };
  const desk: Desk = { language, pool, store, metrics: new Metrics(), limits, onFailure };
  const name = options.name ?? basename(resolve(language.folder)).replace(/\.gguf$/i, '');
  const closing = new AbortController();
  // Every request listens.
  setMaxListeners(0, closing.signal);
  try {
    const app = createApp(options, host, desk, closing.signal);
    addRoutes(app, desk, name, closing.signal);
    const url = await listen(app, host, port);
    return { url, model: name, close: () => end(app, desk, closing) };
  } catch (error) {
    await pool.close();
    throw error;
  }
}

async function listen(app: FastifyInstance, host: string, port: number): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (error) {
    await app.close();
    throw new InputError(`Nothing can listen at ${host}, port ${port}: ${(error as Error).message}.`);
  }
}

/** Ends what is being written, and saves the sessions whatever else goes wrong. */
async function end(app: FastifyInstance, { pool, metrics, store }: Desk, closing: AbortController) {
  let saved = 0;
  try {
    // Whoever waits is told so before those leave who are being answered.
    const emptied = pool.close();
    closing.abort();
    await emptied;
    await allAnswered(metrics);
    await app.close();
  } finally {
    saved = await store.close();
  }
  return saved;
}

/** Waits until what was answered is on its way, but not for clients that do not finish what they ask. */
async function allAnswered(metrics: Metrics): Promise<void> {
  const end = performance.now() + 2000;
  while (metrics.open > 0 && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 5));
}

function createApp(
  options: ServerOptions,
  host: string,
  { metrics, onFailure }: Desk,
  closing: AbortSignal,
): FastifyInstance {
  const answerError = async (error: unknown, reply: FastifyReply) => {
    if (reply.raw.destroyed) return reply;
    const { status, body } = describeError(error);
    if (isInternal(error)) onFailure(error);
    return reply.status(status).send(body);
  };
  const app = fastify({
    bodyLimit: options.bodyLimit ?? 1024 * 1024,
    // A client that sends its request byte by byte holds a connection no longer than this.
    requestTimeout: 30_000,
    forceCloseConnections: true,
    frameworkErrors: (error, _request, reply) => answerError(error, reply),
    clientErrorHandler: refuseConnection,
    // What comes during a shutdown is refused below, in the shape of all errors.
    return503OnClosing: false,
  });
  // Pages of other sites may send plain text without asking, and nobody needs to.
  app.removeContentTypeParser('text/plain');
  app.addHook('onRequest', async (_request, { raw }) => {
    metrics.open += 1;
    raw.once('close', () => {
      metrics.open -= 1;
    });
    if (closing.aborted) throw shuttingDown();
  });
  app.addHook('onResponse', async ({ routeOptions: { url } }, { statusCode }) => {
    metrics.answered(url ?? 'unknown', statusCode);
  });
  const { apiKey } = options;
  if (apiKey !== undefined) requireKey(app, apiKey);
  else if (isLoopback(host)) requireOwnHost(app);
  app.setErrorHandler((error, _request, reply) => answerError(error, reply));
  app.setNotFoundHandler(async ({ method, url }) => {
    throw new ApiError(404, 'not_found', `There is no ${method} ${url.split('?')[0]} here.`);
  });
  return app;
}
