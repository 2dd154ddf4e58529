import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};

/** Headers of a page that is isolated from other origins, which alone may have threads. */
const ISOLATED = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
};

export interface PageServerOptions {
  /** With the headers that let a page have threads. Default: without */
  readonly isolated?: boolean;
  /** Where the folder is on the host. Default '/' */
  readonly path?: string;
}

export interface PageServer {
  /** That of the folder, as `http://127.0.0.1:4000/`. */
  readonly address: string;
  close(): Promise<void>;
}

/** Serves a folder of files at a port of its own. */
export async function servePage(
  folder: string,
  { isolated = false, path = '/' }: PageServerOptions = {},
): Promise<PageServer> {
  const server: Server = createServer(async ({ url = '/' }, response) => {
    const { pathname } = new URL(url, 'http://page');
    const name = pathname.endsWith('/') ? `${pathname}index.html` : pathname;
    const body = name.startsWith(path)
      ? await readFile(join(folder, decodeURIComponent(name.slice(path.length)))).catch(() => undefined)
      : undefined;
    response.writeHead(body ? 200 : 404, {
      'content-type': TYPES[extname(name)] ?? 'application/octet-stream',
      ...(isolated ? ISOLATED : {}),
    });
    response.end(body ?? 'no such file');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    address: `http://127.0.0.1:${port}${path}`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
