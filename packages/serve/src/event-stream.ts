import { once } from 'node:events';
import type { ServerResponse } from 'node:http';

/** How long a client may read nothing before its connection is cut, milliseconds. */
const PATIENCE = 30_000;

/** Server-sent events of one reply. The headers go out with the first event, so that what is refused before has its own status. */
export class EventStream {
  /**
   * @param leaving aborted when the client leaves or the server shuts down: nothing is waited for any more
   * @param patience milliseconds that a client may read nothing before its connection is cut. Default 30 s
   */
  constructor(
    private readonly response: ServerResponse,
    private readonly leaving: AbortSignal,
    private readonly patience = PATIENCE,
  ) {}

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
    await this.#drained();
  }

  end(): void {
    this.response.end();
  }

  async #drained(): Promise<void> {
    const { response, leaving } = this;
    const over = new AbortController();
    const stop = () => over.abort();
    // A reader that only stops reading keeps its connection, and would keep the memory of its reply with it.
    const cut = setTimeout(() => response.destroy(), this.patience);
    response.once('close', stop);
    leaving.addEventListener('abort', stop);
    if (leaving.aborted) stop();
    try {
      await once(response, 'drain', { signal: over.signal });
    } catch {
      // The client left, or the server ends; whoever writes sees it by its own signal.
    } finally {
      clearTimeout(cut);
      response.off('close', stop);
      leaving.removeEventListener('abort', stop);
    }
  }
}
