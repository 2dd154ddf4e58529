import { EventEmitter, once, setMaxListeners } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';

/** Drawing takes at most one part in so many of the time, unless it would leave readers without news for too long. */
const SHARE = 20;
const LONGEST_WAIT = 10_000;

export interface Drawing {
  /** Changes that it knows of. */
  readonly version: number;
  readonly page: string;
}

/** A page that is drawn when somebody wants it, not too often, and once for all who do. */
export class DrawnPage {
  readonly #news = new EventEmitter().setMaxListeners(0);
  readonly #over = new AbortController();
  #version = 0;
  #drawing: Promise<Drawing> | undefined;
  /** Version of that. */
  #drawn = -1;
  /** Time from which on it may be drawn again. */
  #due = 0;

  /** @param interval milliseconds from one drawing to the next, at least */
  constructor(
    private readonly render: () => Promise<string>,
    private readonly interval: number,
  ) {
    setMaxListeners(0, this.#over.signal);
  }

  changed(): void {
    this.#version += 1;
    this.#news.emit('news');
  }

  /** Nothing changes any more: whoever waits gets the last drawing at once. */
  end(): void {
    this.#due = 0;
    this.#over.abort();
    this.changed();
  }

  /** Whether nothing is newer than a version, and nothing will be. */
  isLast(version: number): boolean {
    return this.#over.signal.aborted && version === this.#version;
  }

  /** Waits until there is something newer than a version, and it is drawn or may be. @throws AbortError when the signal says so */
  async after(version: number, leaving: AbortSignal): Promise<void> {
    if (version === this.#version) await once(this.#news, 'news', { signal: leaving });
    const wait = this.#drawn > version ? 0 : this.#due - performance.now();
    const signal = AbortSignal.any([leaving, this.#over.signal]);
    if (wait > 0 && !signal.aborted) await pause(wait, undefined, { signal }).catch(() => {});
    leaving.throwIfAborted();
  }

  /** The page: a new drawing, or the last one where it is too early for another. */
  async newest(): Promise<Drawing> {
    if (this.#drawing && performance.now() < this.#due) return this.#drawing;
    const drawing = this.#draw(this.#version);
    this.#drawing = drawing;
    this.#drawn = this.#version;
    // Until it is done, all get this one.
    this.#due = Number.POSITIVE_INFINITY;
    const start = performance.now();
    try {
      return await drawing;
    } finally {
      const now = performance.now();
      const wait = Math.max(this.interval, Math.min(LONGEST_WAIT, SHARE * (now - start)));
      this.#due = this.#over.signal.aborted ? 0 : now + wait;
    }
  }

  async #draw(version: number): Promise<Drawing> {
    return { version, page: await this.render() };
  }
}
