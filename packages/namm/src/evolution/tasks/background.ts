import { InputError, type Rng } from '@palimpsest/base';
import type { Split } from './evolution-task.js';

/** Where the splits lie in a text, as shares: nothing that is evolved on is judged on. */
const SHARES: Readonly<Record<Split, readonly [number, number]>> = {
  train: [0, 0.6],
  validation: [0.6, 0.8],
  test: [0.8, 1],
};
const FEWEST = 200;

/** Text that facts are hidden in. */
export class Background {
  readonly #parts: Readonly<Record<Split, string>>;

  /** @throws InputError for a text too short to be cut in three. */
  constructor(text: string) {
    if (text.length < FEWEST) {
      throw new InputError(
        `Tasks hide facts in a text of at least ${FEWEST} characters, but this one has ${text.length}.`,
      );
    }
    const part = ([from, to]: readonly [number, number]) =>
      text.slice(Math.floor(from * text.length), Math.floor(to * text.length));
    this.#parts = { train: part(SHARES.train), validation: part(SHARES.validation), test: part(SHARES.test) };
  }

  /** About so many characters from a random place, between two words. */
  passage(rng: Rng, split: Split, characters: number): string {
    const text = this.#parts[split];
    let found = '';
    while (found.length < characters) {
      const start = rng.int(Math.max(1, text.length - characters));
      const from = text.indexOf(' ', start) + 1;
      found += `${text.slice(from, from + characters - found.length)} `;
    }
    const cut = found.slice(0, characters);
    return cut.slice(0, Math.max(1, cut.lastIndexOf(' '))).trim();
  }
}
