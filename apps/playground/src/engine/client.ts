import type { CallName, Calls, FromWorker } from './protocol.js';

interface Waiting {
  news(news: unknown): void;
  done(result: unknown): void;
  failed(error: Error): void;
}

/** A worker that computes, so that the page stays free. It starts with the first call. */
export class Laboratory {
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #next = 0;

  /**
   * Asks the worker for something.
   * @param onNews told what comes before the result
   * @param signal ends the call early; what it has done stays
   */
  call<Name extends CallName>(
    name: Name,
    request: Calls[Name]['request'],
    onNews: (news: Calls[Name]['news']) => void = () => {},
    signal?: AbortSignal,
  ): Promise<Calls[Name]['result']> {
    const worker = this.#started();
    const id = this.#next++;
    signal?.addEventListener('abort', () => worker.postMessage({ id, name: 'stop' }), { once: true });
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, {
        news: onNews as (news: unknown) => void,
        done: resolve as (result: unknown) => void,
        failed: reject,
      });
      worker.postMessage({ id, name, request });
    });
  }

  /** Ends the worker and whatever it does. */
  close(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
  }

  #started(): Worker {
    if (this.#worker) return this.#worker;
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#hear(data);
    worker.onerror = ({ message }) => {
      for (const { failed } of this.#waiting.values())
        failed(new Error(message || 'the worker did not start'));
      this.#waiting.clear();
    };
    this.#worker = worker;
    return worker;
  }

  #hear(answer: FromWorker): void {
    const waiting = this.#waiting.get(answer.id);
    if (!waiting) return;
    if (answer.type === 'news') {
      waiting.news(answer.news);
      return;
    }
    this.#waiting.delete(answer.id);
    if (answer.type === 'result') waiting.done(answer.result);
    else waiting.failed(new Error(answer.message));
  }
}
