import { describe, expect, it } from 'vitest';
import { createAgentMemory } from '../src/index.js';
import { Bm25 } from '../src/retrieval/bm25.js';

const FEW = 100;
const MANY = 10_000;
const CALLS = 200;
/** Far more than noise and caches make of equal work, far less than the 100 times of work that looks at every memory. */
const MOST = 10;

const textOf = (i: number): string => `note ${i} of person${i} about thing${i % 97}`;

/** Milliseconds of the quickest of several rounds. */
async function quickest(round: (at: number) => Promise<void> | void): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let at = 0; at < 7; at++) {
    const start = performance.now();
    await round(at);
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

const memoryOf = async (size: number) => {
  const memory = await createAgentMemory('none');
  for (let i = 0; i < size; i++) await memory.add(textOf(i));
  return memory;
};

describe('what is added and forgotten among many memories', () => {
  it('costs what it costs among few', async () => {
    const cost = async (size: number) => {
      const memory = await memoryOf(size);
      return quickest(async (at) => {
        for (let i = 0; i < CALLS; i++) {
          const { id, known } = await memory.add(`one more ${at} ${i}`);
          expect(known).toBe(false);
          expect(await memory.add(`ONE more  ${at} ${i}`)).toEqual({ id, known: true });
          await memory.update(id, `another ${at} ${i}`);
          expect(await memory.forget(id)).toBe(true);
        }
      });
    };
    expect(await cost(MANY)).toBeLessThan(MOST * (await cost(FEW)));
  }, 60_000);

  it('leaves the scores of the others', () => {
    const [touched, plain] = [new Bm25(), new Bm25()];
    for (let i = 0; i < 50; i++) {
      plain.add(i, textOf(i));
      touched.add(i, `${textOf(i + 1)} which changes`);
      touched.add(i + 1000, textOf(i));
    }
    for (let i = 0; i < 50; i++) {
      touched.add(i, textOf(i));
      touched.remove(i + 1000);
    }
    const query = `note person7 person7 thing9 changes`;
    expect(touched.scores(query)).toEqual(plain.scores(query));
    expect(touched.size).toBe(50);
  });

  it('takes out of postings in the same time among many texts', async () => {
    const cost = async (size: number) => {
      const words = new Bm25();
      for (let i = 0; i < size; i++) words.add(i, textOf(i));
      return quickest(() => {
        for (let i = 0; i < CALLS; i++) {
          words.add(size + i, textOf(size + i));
          words.remove(size + i);
        }
      });
    };
    expect(await cost(MANY)).toBeLessThan(MOST * (await cost(FEW)));
  });
});

describe('texts that are alike', () => {
  it('are known by what they say now, in their namespace', async () => {
    const memory = await createAgentMemory('none');
    await memory.add('a cat');
    await memory.add('a cat', { force: true });
    await memory.update(0, 'a dog');
    expect(await memory.add('A  cat')).toEqual({ id: 1, known: true });
    expect(await memory.add('a dog')).toEqual({ id: 0, known: true });
    await memory.forget(1);
    expect(await memory.add('a cat')).toEqual({ id: 2, known: false });
    expect(await memory.add('a cat', { namespace: 'other' })).toEqual({ id: 3, known: false });
  });
});
