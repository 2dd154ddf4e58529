import { fnv1a, InputError } from '@palimpsest/base';
import { isListed, type Pack, type Split, wordsOfSplit } from './pack.js';
import type { SessionRandom } from './session-random.js';

/** Share of generated words that are held out: one in four. */
const HELD_OUT_OF = 4;

/** Draws the things of a session; a word that was drawn as the answer of a question is drawn for nothing else. */
export class EntityPool {
  readonly #queues = new Map<string, string[]>();
  readonly #reserved = new Set<string>();
  readonly #used = new Set<string>();

  constructor(
    private readonly pack: Pack,
    private readonly split: Split,
    private readonly rng: SessionRandom,
  ) {}

  /** @param reserve whether the word answers a question */
  draw(typeName: string, reserve = false): string {
    const type = this.pack.entityTypes[typeName];
    if (!type) throw new InputError(`The pack has no type '${typeName}'.`);
    const word = isListed(type) ? this.#listed(typeName, type) : this.#generated(type);
    this.#used.add(word);
    if (reserve) this.#reserved.add(word);
    return word;
  }

  #listed(name: string, type: { train: string[]; heldOut: string[] }): string {
    let queue = this.#queues.get(name) ?? [];
    if (queue.length === 0) {
      const free = (words: string[]) => words.filter((word) => !this.#reserved.has(word));
      const own = free(wordsOfSplit(type, this.split));
      queue = this.rng.shuffle(own.length > 0 ? own : free(wordsOfSplit(type, 'all')));
      this.#queues.set(name, queue);
    }
    const word = queue.pop();
    if (word === undefined) throw new InputError(`The pack has no word of the type '${name}' left.`);
    return word;
  }

  #generated(type: Exclude<Pack['entityTypes'][string], { train: string[] }>): string {
    for (;;) {
      const word = type.generator === 'digits' ? this.#digits(type.length) : this.#syllables(type.syllables);
      const isHeldOut = fnv1a(word.toLowerCase()) % HELD_OUT_OF === 0;
      if (this.split === 'train' && isHeldOut) continue;
      if (this.split === 'heldOut' && !isHeldOut) continue;
      if (!this.#used.has(word)) return word;
    }
  }

  #digits(length: number): string {
    return Array.from({ length }, () => this.rng.int(10)).join('');
  }

  #syllables({ onset, vowel, coda }: { onset: string[]; vowel: string[]; coda: string[] }): string {
    const count = 2 + this.rng.int(2);
    let word = '';
    for (let i = 0; i < count; i++) word += this.rng.pick(onset) + this.rng.pick(vowel) + this.rng.pick(coda);
    return capitalised(word);
  }
}

export const capitalised = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
