import { describe, expect, it } from 'vitest';
import { type Contest, type Standing, verdictSentences } from '../../src/report/verdicts/sentences.js';

const standing = (name: string, values: readonly number[], more: Partial<Standing> = {}): Standing => ({
  name,
  model: name.toLowerCase(),
  title: name.split(',')[0]!,
  isOwn: false,
  value: values.reduce((sum, value) => sum + value, 0) / values.length,
  bySeed: values.length > 1 ? values.map((value, index) => [index + 1, value]) : [],
  standardError: 1,
  isExact: false,
  ...more,
});
const own = (name: string, values: readonly number[], more: Partial<Standing> = {}) =>
  standing(name, values, { isOwn: true, ...more });

const told = (standings: readonly Standing[], more: Partial<Contest> = {}) =>
  verdictSentences({ unit: '%', higherIsBetter: true, standings, ...more });

describe('who is first', () => {
  it('by how much, against whom, and how that is known', () => {
    expect(told([standing('GRU', [80, 81, 82]), standing('Window', [90, 91, 93])])).toEqual([
      'First: Window with 91.33 %, 10.3 ± 1.4 points ahead of GRU, the next (paired by seed, 95 %).',
    ]);
  });

  it('is the lowest where lower is better', () => {
    const [sentence] = told([standing('GRU', [0.8, 0.81]), standing('Window', [0.9, 0.91])], {
      unit: 'bits',
      higherIsBetter: false,
    });
    expect(sentence).toBe(
      'First: GRU with 0.805 bits, 0.1 bits ahead of Window, the next (paired by seed, 95 %).',
    );
  });

  it('is nobody alone when others are within noise or equal; the first beyond it is named', () => {
    const [sentence] = told([
      standing('A', [100, 100, 100]),
      standing('B', [100, 100, 100]),
      standing('C', [99, 100, 99.5]),
      standing('D', [50, 51, 52]),
    ]);
    expect(sentence).toBe(
      'Nobody is first alone: A with 100 % has the best value; exactly equal: B; within noise of it: C; the next is D, 49 ± 2.5 points behind (paired by seed, 95 %).',
    );
  });

  it('is nobody when all are within noise, and long lists are counted', () => {
    expect(told([standing('A', [10, 12, 9]), standing('B', [9, 12, 10])])[0]).toBe(
      'Nobody is first: A with 10.33 % has the best value, and all others are equal or within noise (paired by seed, 95 %).',
    );
    const many = [...'ABCDEFGH'].map((name) => standing(name, [10, 12]));
    expect(told([...many, standing('Z', [1, 3.1])])[0]).toContain('exactly equal: B, C, D, E and 3 more');
  });

  it('is not told from one seed', () => {
    expect(told([standing('A', [90]), standing('B', [50])])[0]).toBe(
      'Best value: A with 90 %, 40 ± 2.8 points ahead of B, the next; one seed: no noise between runs is known.',
    );
  });

  it('is not claimed while the lead over somebody farther is of one seed', () => {
    expect(told([standing('A', [90, 91, 92]), standing('B', [80, 81, 82]), standing('C', [70])])[0]).toBe(
      'Best value: A with 91 %, 10 points ahead of B, the next (paired by seed, 95 %); ahead of C in one seed alone, which does not tell the noise between runs.',
    );
    expect(told([standing('A', [90, 91, 92]), standing('B', [70]), standing('C', [90, 92, 91])])[0]).toBe(
      'Nobody is first alone: A with 91 % has the best value; within noise of it: C; the next is B, 21 ± 2.8 points behind in this one seed (paired by seed, 95 %; one seed: no noise between runs is known).',
    );
  });

  it('names every rule by which it was judged', () => {
    const elsewhere = standing('B', [90, 92, 91], {
      bySeed: [
        [7, 90],
        [8, 92],
        [9, 91],
      ],
    });
    expect(told([standing('A', [90, 91, 92.5]), elsewhere, standing('C', [90, 91, 92])])[0]).toMatch(
      /\(seeds not shared, 95 %; paired by seed, 95 %\)\.$/,
    );
  });

  it('counts speed in factors', () => {
    const speed = { unit: 'tokens/s', higherIsBetter: true };
    expect(told([standing('A', [3000, 3010]), standing('B', [1000, 1010])], speed)[0]).toContain(
      'a factor of 2.99 ahead of B',
    );
    const time = { unit: 'ms', higherIsBetter: false };
    const timed = (name: string, ms: number) => own(name, [ms], { standardError: undefined });
    expect(told([timed('A', 3), timed('B', 1), timed('C', 6)], time)).toEqual([
      'Best value: B with 1 ms, a factor of 3 ahead of A, the next; one seed: no noise between runs is known.',
      'Beside B: A is a factor of 3 behind in this one seed (place 2 of 3, 3 ms); C is a factor of 6 behind in this one seed (place 3 of 3, 6 ms).',
    ]);
  });

  it('needs somebody to compare with, and something measured', () => {
    expect(told([standing('A', [5])])).toEqual([
      'Only A with 5 % was measured: there is nobody to compare it with.',
    ]);
    expect(told([])).toEqual(['Nothing was measured.']);
    expect(told([standing('A', [Number.NaN])])).toEqual(['Nothing was measured.']);
  });

  it('counts a model once, at its best size', () => {
    const sizes = [
      standing('A, width 16', [80, 81], { model: 'a' }),
      standing('A, width 64', [90, 91], { model: 'a' }),
    ];
    expect(told([...sizes, standing('B', [70, 71])])[0]).toContain(
      'First: A, width 64 with 90.5 %, 20 points ahead of B',
    );
  });
});

describe('mechanisms of their own', () => {
  it('have their losses told as plainly as wins', () => {
    const sentences = told(
      [standing('GRU', [90, 91, 92]), own('OSAM', [70, 71, 74]), own('RSM', [8, 8.2, 7.9])],
      {
        chance: 8,
      },
    );
    expect(sentences.slice(1)).toEqual([
      'Beside GRU: OSAM loses by 19.3 ± 2.9 points (place 2 of 3, 71.67 %); RSM loses by 83 ± 2.6 points (place 3 of 3, 8.033 %, no better than a blind guess).',
    ]);
  });

  it('below a blind guess are no better than one, errors or not', () => {
    const [, sentence] = told([standing('GRU', [90]), own('Om', [0], { standardError: 0 })], { chance: 8 });
    expect(sentence).toBe(
      'Beside GRU: Om is 90 ± 2 points behind in this one seed (place 2 of 2, 0 %, no better than a blind guess).',
    );
  });

  it('of seeds that learned and seeds that did not are not called a blind guess', () => {
    const [, sentence] = told([standing('GRU', [90, 91, 92]), own('OSAM', [100, 99, 3])], { chance: 3 });
    expect(sentence).toContain('67.33 %, its seeds so far apart that a blind guess is within noise)');
  });

  it('within noise of the first do not lose, and equal ones are called so', () => {
    expect(told([standing('GRU', [90, 92, 91]), own('OSAM', [91, 90, 91.5])])[1]).toBe(
      'Beside GRU: OSAM is within noise (place 2 of 2, 90.83 %).',
    );
    expect(told([standing('GRU', [100, 100]), own('OSAM', [100, 100])])[1]).toBe(
      'Beside GRU: OSAM is exactly equal.',
    );
  });
});

describe('bytes', () => {
  it('equal or fewer: every size beside the best of the others', () => {
    const sentences = told([
      own('OSAM, width 16', [80, 81, 82], { model: 'osam', stateBytes: 1400 }),
      own('OSAM, width 32', [99, 99.5, 99], { model: 'osam', stateBytes: 4800 }),
      standing('GRU', [85, 86, 87.5], { stateBytes: 1420 }),
      standing('Window', [100, 100, 100], { stateBytes: 16_500 }),
    ]);
    expect(sentences.at(-1)).toBe(
      'At equal bytes or fewer: OSAM with 1.4 kB is 5.17 ± 0.72 points behind GRU (equal bytes), with 4.8 kB is 13 ± 3.3 points ahead of GRU (1.42 kB).',
    );
  });

  it('are silent about those without bytes, and say who has nobody beside it', () => {
    const sentences = told([
      own('OSAM', [80, 81], { stateBytes: 100 }),
      standing('GRU', [85, 86], { stateBytes: 4000 }),
      standing('Table', [70], { isExact: true }),
    ]);
    expect(sentences.at(-1)).toBe('At equal bytes or fewer: OSAM with 100 B has nobody beside it.');
    expect(told([own('OSAM', [80, 81]), standing('GRU', [85, 86])])).toHaveLength(2);
  });
});

describe('what has no value', () => {
  it('is named with its reason, once', () => {
    const failed = [
      { name: 'RSM', reason: 'the process was killed.' },
      { name: 'RSM', reason: 'the process was killed.' },
    ];
    expect(told([own('OSAM', [80, 81]), standing('GRU', [85, 86.5])], { failed }).at(-1)).toBe(
      'RSM could not be computed: the process was killed.',
    );
    expect(told([], { failed })).toEqual([
      'Nothing was measured.',
      'RSM could not be computed: the process was killed.',
    ]);
  });
});
