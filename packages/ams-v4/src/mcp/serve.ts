import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { AgentMemory } from '../agent/agent-memory.js';
import { memoryServer } from './memory-server.js';

/** Serves a memory over standard input and output, until the other side ends it or the signal does. */
export async function serveStdio(memory: AgentMemory, version: string, signal: AbortSignal): Promise<void> {
  const server = memoryServer(memory, version);
  const ended = new Promise<void>((resolve) => {
    process.stdin.once('end', resolve);
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await server.connect(new StdioServerTransport());
  await ended;
  await server.close();
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
 */
export async function serveHttp(memory: AgentMemory, version: string, port: number): Promise<HttpServing> {
  const http = createServer((request, response) => {
    answer(request, response).catch((error: Error) => {
      if (!response.headersSent) response.writeHead(500, { 'content-type': 'text/plain' });
      response.end(error.message);
    });
  });
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject);
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
    response.once('close', () => void server.close());
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
