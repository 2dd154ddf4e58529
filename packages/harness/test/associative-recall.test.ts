import { IGNORED_TARGET } from '@palimpsest/lm';
import { describe, expect, it } from 'vitest';
import { AssociativeRecall } from '../src/index.js';

const rowsOf = (data: Int32Array, time: number) =>
  Array.from({ length: data.length / time }, (_, row) => [...data.subarray(row * time, (row + 1) * time)]);

describe('AssociativeRecall', () => {
  it('asks for exactly the values that were told, key by key', () => {
    const source = new AssociativeRecall({ pairs: 5, batch: 7, seed: 3 });
    const { inputs, targets, resets } = source.next();
    expect(inputs.shape).toEqual([7, 19]);
    expect([...resets.data]).toEqual(new Array(7).fill(1));
    const sequences = rowsOf(inputs.data, 19);
    rowsOf(targets.data, 19).forEach((row, lane) => {
      const sequence = sequences[lane]!;
      const told = new Map(
        Array.from({ length: 5 }, (_, pair) => [sequence[2 * pair]!, sequence[2 * pair + 1]!]),
      );
      expect(told.size).toBe(5);
      for (const [key, value] of told) {
        expect(key).toBeLessThan(16);
        expect(value).toBeGreaterThanOrEqual(16);
        expect(value).toBeLessThan(32);
      }
      const asked = row.flatMap((target, at) => (target === IGNORED_TARGET ? [] : [at]));
      expect(asked).toEqual([10, 12, 14, 16, 18]);
      expect(new Set(asked.map((at) => sequence[at]!))).toEqual(new Set(told.keys()));
      for (const at of asked) expect(row[at]).toBe(told.get(sequence[at]!));
    });
  });

  it('is decided by its seed, and goes on from a stored place', () => {
    const first = new AssociativeRecall({ pairs: 4, batch: 3, seed: 1 });
    const same = new AssociativeRecall({ pairs: 4, batch: 3, seed: 1 });
    expect(same.next()).toEqual(first.next());
    const place = JSON.parse(JSON.stringify(first.cursor()));
    const expected = first.next();
    const resumed = new AssociativeRecall({ pairs: 4, batch: 3, seed: 99 });
    resumed.seek(place);
    expect(resumed.next()).toEqual(expected);
    expect(resumed.next()).not.toEqual(expected);
  });

  it('refuses more pairs than keys and places of other sources', () => {
    expect(() => new AssociativeRecall({ pairs: 17, batch: 1, seed: 0 })).toThrow('1 to 16 pairs');
    const source = new AssociativeRecall({ pairs: 1, batch: 1, seed: 0 });
    expect(() => source.seek({ kind: 'random-windows' })).toThrow("this is one in 'random-windows'");
  });
});
