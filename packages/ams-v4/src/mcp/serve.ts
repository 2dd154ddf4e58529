import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { InputError, isSystemError, systemReason } from '@palimpsest/base';
import type { AgentMemory } from '../agent/agent-memory.js';
import { memoryServer } from './memory-server.js';

/**
 * Serves a memory over standard input and output, until the other side ends it or the signal does.
 * @throws whatever the start of the transport throws.
 */
export async function serveStdio(memory: AgentMemory, version: string, signal: AbortSignal): Promise<void> {
  const server = memoryServer(memory, version);
  // An input that breaks closes without an end.
  const ended = new Promise<void>((resolve) => {
    process.stdin.once('end', resolve).once('close', resolve);
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (signal.aborted || process.stdin.readableEnded || process.stdin.destroyed) resolve();
  });
  try {
    await server.connect(new StdioServerTransport());
    await ended;
  } finally {
    await server.close();
  }
}

/** The sentence for a port that cannot be had. */
function unavailable(port: number, error: Error): unknown {
  if (!isSystemError(error)) return error;
  const why = error.code === 'EADDRINUSE' ? 'another program uses it' : systemReason(error);
  return new InputError(`The port ${port} of ${HOST} cannot be had: ${why}; choose another one (--http).`);
}

export interface HttpServing {
  /** Where it is: `http://127.0.0.1:PORT/mcp`. */
  readonly url: string;
  close(): Promise<void>;
}

const PATH = '/mcp';
const HOST = '127.0.0.1';

/**
 * Serves a memory over HTTP on this machine alone, at `/mcp`. Every request stands for itself: there is no session to lose.
 * @param port 0 for any that is free
 * @throws InputError for a port that is in use, or that the system does not give.
 */
export async function serveHttp(memory: AgentMemory, version: string, port: number): Promise<HttpServing> {
  const http = createServer((request, response) => {
    answer(request, response).catch((error: Error) => {
      if (!response.headersSent) response.writeHead(500, { 'content-type': 'text/plain' });
      response.end(error.message);
    });
  });
  await new Promise<void>((resolve, reject) => {
    http.once('error', (error) => reject(unavailable(port, error)));
    http.listen(port, HOST, resolve);
  });
  const own = (http.address() as AddressInfo).port;
  // A page of another site that a browser shows must not reach the memory under a name that it has made its own.
  const allowedHosts = [`${HOST}:${own}`, `localhost:${own}`];

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (new URL(request.url ?? '/', `http://${HOST}`).pathname !== PATH) {
      response.writeHead(404).end();
      return;
    }
    const server = memoryServer(memory, version);
    // Without a generator of session ids there are no sessions.
    const transport = new StreamableHTTPServerTransport({
      enableJsonResponse: true,
      enableDnsRebindingProtection: true,
      allowedHosts,
    });
    // Nobody waits for it any more, and the next request has a server of its own.
    response.once('close', () => void server.close().catch(() => undefined));
    await server.connect(transport);
    await transport.handleRequest(request, response);
  }

  return {
    url: `http://${HOST}:${own}${PATH}`,
    close: () =>
      new Promise((resolve) => {
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  };
}
