/** A fixed number of places for work; who needs them all waits until they are free, and others wait behind. */
export class Slots {
  readonly count: number;
  #free: number;
  readonly #waiting: { readonly needed: number; readonly admit: () => void }[] = [];

  constructor(count: number) {
    this.count = count;
    this.#free = count;
  }

  /** Runs the work when that many places are free, first come, first served. */
  async take<T>(needed: number, work: () => Promise<T>): Promise<T> {
    await new Promise<void>((admit) => {
      this.#waiting.push({ needed, admit });
      this.#admit();
    });
    try {
      return await work();
    } finally {
      this.#free += needed;
      this.#admit();
    }
  }

  #admit(): void {
    for (let next = this.#waiting[0]; next && next.needed <= this.#free; next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#free -= next.needed;
      next.admit();
    }
  }
}
