import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { ApiError } from './errors.js';

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

/** Texts of one length, which take equally long to compare. */
const digest = (text: string) => createHash('sha256').update(text).digest();
