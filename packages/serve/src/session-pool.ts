import type { Session } from '@palimpsest/lm';
import { ApiError, shuttingDown } from './errors.js';

interface Waiting {
  readonly take: (session: Session) => void;
  readonly fail: (error: unknown) => void;
}

/**
 * The memories in which replies are written. As many requests run side by side as there are; so many others wait in the
 * order of their coming; all further ones are refused.
 */
export class SessionPool {
  readonly #free: Session[];
  readonly #waiting: Waiting[] = [];
  #isClosed = false;

  private constructor(
    private readonly all: readonly Session[],
    readonly queue: number,
  ) {
    this.#free = [...all];
  }

  /**
   * @param first a session before its first token, which the others are forked from; it is the pool's from then on
   * @param size number of sessions
   * @param queue most requests that wait for one
   */
  static async create(first: Session, size: number, queue: number): Promise<SessionPool> {
    try {
      return new SessionPool([first, ...(await first.fork(size - 1))], queue);
    } catch (error) {
      await first.dispose();
      throw error;
    }
  }

  /** Requests that wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Requests that run. */
  get running(): number {
    return this.all.length - this.#free.length;
  }

  /** Bytes of all memories. */
  get bytes(): number {
    return this.all.reduce((sum, { stateBytes }) => sum + stateBytes, 0);
  }

  /**
   * Lends a session for as long as the work takes.
   * @param signal whoever asked has left
   * @throws ApiError 429 when too many wait already.
   */
  async use<T>(signal: AbortSignal, work: (session: Session) => Promise<T>): Promise<T> {
    const session = await this.#take(signal);
    try {
      return await work(session);
    } finally {
      this.#giveBack(session);
    }
  }

  /** Refuses whoever waits, and gives the memories back once nobody uses them. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { fail } of this.#waiting.splice(0)) fail(shuttingDown());
    while (this.running > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    for (const session of this.all) await session.dispose();
  }

  async #take(signal: AbortSignal): Promise<Session> {
    if (this.#isClosed) throw shuttingDown();
    if (signal.aborted) throw leftEarly();
    const free = this.#free.pop();
    if (free) return free;
    if (this.#waiting.length >= this.queue) {
      throw new ApiError(
        429,
        'queue_full',
        `${this.running} requests are being answered and ${this.#waiting.length} wait, as many as may; ask again later.`,
      );
    }
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(leftEarly());
      };
      const settled = () => signal.removeEventListener('abort', leave);
      const waiting: Waiting = {
        take: (session) => {
          settled();
          resolve(session);
        },
        fail: (error) => {
          settled();
          reject(error);
        },
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#waiting.push(waiting);
    });
  }

  #giveBack(session: Session): void {
    const next = this.#waiting.shift();
    if (next) next.take(session);
    else this.#free.push(session);
  }
}

const leftEarly = () => new ApiError(503, 'request_ended', 'The client left before it was its turn.');
