import { Rng } from '@palimpsest/base';
import { describe, expect, it } from 'vitest';
import { Bm25 } from '../src/retrieval/bm25.js';

const rng = Rng.fromSeed(3);
/** Frequent words first: word i is drawn about 1/i as often as the first. */
const word = () => `w${Math.floor(Math.exp(rng.uniform() * Math.log(200)))}`;
const sentence = (length: number) => Array.from({ length }, word).join(' ');

function filled(count: number): Bm25 {
  const words = new Bm25();
  for (let id = 0; id < count; id++) words.add(id, sentence(3 + rng.int(8)));
  for (let id = 0; id < count; id += 7) words.remove(id);
  for (let id = 1; id < count; id += 11) words.add(id, sentence(5));
  return words;
}

const sorted = (words: Bm25, query: string) =>
  [...words.scores(query)]
    .map(([id, score]) => ({ id, score }))
    .sort((a, b) => b.score - a.score || a.id - b.id);

describe('the best texts by words', () => {
  const words = filled(600);
  const queries = Array.from({ length: 40 }, () => sentence(1 + rng.int(6)));

  it.each([1, 4, 20, 1000])('are the first %d of all scores', (k) => {
    for (const query of queries) expect(words.best(query, k)).toEqual(sorted(words, query).slice(0, k));
  });

  it('are those that are accepted', () => {
    for (const query of queries) {
      const even = sorted(words, query).filter(({ id }) => id % 2 === 0);
      expect(words.best(query, 5, (id) => id % 2 === 0)).toEqual(even.slice(0, 5));
    }
  });

  it('do not need a look at every text with a frequent word', () => {
    const many = new Bm25();
    for (let id = 0; id < 5000; id++) many.add(id, `the dog number n${id % 500} sleeps`);
    let looked = 0;
    const best = many.best('which dog is n77', 5, () => {
      looked += 1;
      return true;
    });
    expect(best.map(({ id }) => id)).toEqual([77, 577, 1077, 1577, 2077]);
    expect(looked).toBe(10);
  });

  it('are none for no words, unknown ones, or none that are wanted', () => {
    for (const [query, k] of [
      ['', 5],
      ['unheard', 5],
      ['w1', 0],
    ] as const)
      expect(words.best(query, k)).toEqual([]);
  });

  it('have the scores of a list of texts', () => {
    const all = words.scores('w1 w7 w90');
    expect(words.scoresOf('w1 w7 w90', [1, 2, 3, 4])).toEqual([1, 2, 3, 4].map((id) => all.get(id) ?? 0));
  });
});
