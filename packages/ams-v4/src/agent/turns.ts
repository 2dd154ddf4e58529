import { InputError } from '@palimpsest/base';

/** Work that is done one piece after the other, so that none of it meets what another one is changing. */
export class Turns {
  /** Settles when the last piece is done, whatever came of it. */
  #last: Promise<unknown> = Promise.resolve();
  #refusal: string | undefined;

  /**
   * Does work when all before it is done; no work may wait for other work within its own.
   * @throws InputError after an end that refuses what comes later.
   */
  take<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(() => {
      if (this.#refusal === undefined) return work();
      throw new InputError(this.#refusal);
    });
    this.#last = done.catch(() => undefined);
    return done;
  }

  /**
   * Does the last work when all before it is done.
   * @param refusal what later work is told; without it later work is still done
   */
  end(work: () => Promise<void>, refusal?: string): Promise<void> {
    const done = this.#last.then(() => {
      this.#refusal = refusal;
      return work();
    });
    this.#last = done.catch(() => undefined);
    return done;
  }
}
