import { once } from 'node:events';
import type { ServerResponse } from 'node:http';

/** Server-sent events of one reply. The headers go out with the first event, so that what is refused before has its own status. */
export class EventStream {
  constructor(private readonly response: ServerResponse) {}

  get isOpen(): boolean {
    return this.response.headersSent;
  }

  /** Sends a document, and waits while the client does not read. */
  async send(document: object | '[DONE]'): Promise<void> {
    const { response } = this;
    if (response.destroyed) return;
    if (!response.headersSent) {
      response.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-cache',
        'x-accel-buffering': 'no',
      });
    }
    const text = typeof document === 'string' ? document : JSON.stringify(document);
    if (response.write(`data: ${text}\n\n`)) return;
    const gone = new AbortController();
    const leave = () => gone.abort();
    response.once('close', leave);
    try {
      await once(response, 'drain', { signal: gone.signal });
    } catch {
      // The client left; whoever writes sees it by its own signal.
    } finally {
      response.off('close', leave);
    }
  }

  end(): void {
    this.response.end();
  }
}
