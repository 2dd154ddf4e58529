import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** How a server shall misbehave. */
export interface HubManners {
  /** Breaks every connection after this many bytes of a file. */
  breakAfter?: number;
  /** How many connections it breaks. Default: all. */
  breaks?: number;
  /** Milliseconds between pieces of a file. */
  slowness?: number;
  /** Gives other bytes than it has said. */
  wrongBytes?: boolean;
  /** Knows no ranges. */
  noRanges?: boolean;
  /** Token without which it answers 401. */
  token?: string;
  /** Where its list of files goes on. */
  next?: string;
  /** Names that it states for the content of every file. */
  checksum?: string;
}

/** A server that answers as the hub does, for one repository. */
export class LocalHub {
  /** `path from` of every request for a file. */
  readonly requests: string[] = [];
  /** What every request said of the caller. */
  readonly authorizations: (string | undefined)[] = [];
  manners: HubManners = {};

  private constructor(
    private readonly server: Server,
    private readonly files: Readonly<Record<string, Buffer>>,
  ) {
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  static async start(files: Readonly<Record<string, Buffer>>): Promise<LocalHub> {
    const server = createServer();
    const hub = new LocalHub(server, files);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return hub;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { token, next, checksum } = this.manners;
    this.authorizations.push(request.headers.authorization);
    if (token !== undefined && request.headers.authorization !== `Bearer ${token}`) {
      response.writeHead(401).end();
      return;
    }
    const path = new URL(request.url!, this.url).pathname;
    if (path === '/api/models/owner/small/tree/main') {
      response.setHeader('content-type', 'application/json');
      if (next !== undefined) response.setHeader('link', `<${next}>; rel="next"`);
      const entries = Object.entries(this.files).map(([name, data]) => entryOf(name, data));
      const stated = checksum === undefined ? {} : { oid: checksum, lfs: undefined };
      response.end(JSON.stringify(entries.map((entry) => ({ ...entry, ...stated }))));
      return;
    }
    const name = /^\/owner\/small\/resolve\/main\/(.+)$/.exec(path)?.[1];
    const data = name === undefined ? undefined : this.files[decodeURIComponent(name)];
    if (!data) response.writeHead(404).end();
    else await this.#send(name!, data, request, response);
  }

  async #send(name: string, data: Buffer, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { breakAfter, slowness = 0, wrongBytes, noRanges } = this.manners;
    const from = noRanges ? 0 : Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    this.requests.push(`${name} ${from}`);
    const body = Buffer.from(data.subarray(from));
    if (wrongBytes) body[0]! ^= 1;
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': body.length });
    for (let at = 0; at < body.length; at += 1000) {
      if (response.destroyed) return;
      response.write(body.subarray(at, at + 1000));
      await new Promise((resolve) => setTimeout(resolve, slowness));
      if (breakAfter !== undefined && at + 1000 >= breakAfter && at + 1000 < body.length) {
        if (this.manners.breaks === 0) continue;
        if (this.manners.breaks !== undefined) this.manners.breaks -= 1;
        response.destroy();
        return;
      }
    }
    response.end();
  }
}

/** Large files have their SHA-256, others the name that git gives them. */
function entryOf(path: string, data: Buffer) {
  const oid = createHash('sha1').update(`blob ${data.length}\0`).update(data).digest('hex');
  const lfs = path.endsWith('.json')
    ? undefined
    : { oid: createHash('sha256').update(data).digest('hex'), size: data.length, pointerSize: 130 };
  return { type: 'file', path, size: data.length, oid, lfs };
}
