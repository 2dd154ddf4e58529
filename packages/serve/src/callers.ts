import { createHash, timingSafeEqual } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { ApiError, describeError } from './errors.js';

/** Whether only this machine reaches an address. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);

/** Refuses with 401 whoever does not send the key; `/health` needs none. */
export function requireKey(app: FastifyInstance, apiKey: string): void {
  const expected = digest(`Bearer ${apiKey}`);
  app.addHook('onRequest', async ({ headers, routeOptions: { url } }) => {
    if (url === '/health' || timingSafeEqual(digest(headers.authorization ?? ''), expected)) return;
    throw new ApiError(
      401,
      'invalid_api_key',
      'This server needs its key as a bearer token, and another one or none was sent.',
    );
  });
}

/**
 * Refuses with 403 whoever asks for this machine by a foreign name: a page of another site whose name was made to lead here
 * would read the answers.
 */
export function requireOwnHost(app: FastifyInstance): void {
  app.addHook('onRequest', async ({ headers: { host = '' } }) => {
    const name = host.replace(/:\d*$/, '').replace(/^\[(.*)\]$/, '$1');
    if (isLoopback(name.toLowerCase())) return;
    throw new ApiError(
      403,
      'foreign_host',
      'This server answers only those who ask for localhost or an address of this machine; with a key it answers others too.',
    );
  });
}

/** Statuses of Node's reasons to end a connection; whatever else comes is no HTTP. */
const REASONS: Readonly<Record<string, readonly [status: number, code: string, message: string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'headers_too_large', 'The headers of the request are too large.'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'request_timeout', 'The request did not come to its end in time.'],
};
const NO_HTTP = [400, 'no_http', 'This server speaks HTTP/1.1, and something else was sent.'] as const;

/** Answers a connection that has no request to answer in the shape of all errors, and ends it. */
export function refuseConnection(error: Error & { readonly code?: string }, socket: Socket): void {
  // What was written before may be a part of a reply, which another one must not interrupt.
  if (error.code === 'ECONNRESET' || !socket.writable || socket.bytesWritten > 0) {
    socket.destroy();
    return;
  }
  const { status, body } = describeError(new ApiError(...(REASONS[error.code ?? ''] ?? NO_HTTP)));
  const text = JSON.stringify(body);
  socket.write(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`,
  );
  socket.destroySoon();
}

/** Texts of one length, which take equally long to compare. */
const digest = (text: string) => createHash('sha256').update(text).digest();
