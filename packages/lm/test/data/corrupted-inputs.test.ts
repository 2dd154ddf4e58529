import { describe, expect, it } from 'vitest';
import { CorruptedInputs, RandomWindows } from '../../src/index.js';

const ids = Int32Array.from({ length: 5000 }, (_, index) => index % 10);
const windows = () => new RandomWindows(ids, { batch: 20, time: 50, seed: 5 });
const corrupted = (rate: number, seed = 1) => new CorruptedInputs(windows(), { rate, vocabSize: 10, seed });

describe('CorruptedInputs', () => {
  it('replaces the asked share of inputs, by the id itself one time in vocabSize, and no targets', () => {
    const clean = windows().next();
    const batch = corrupted(0.3).next();
    expect(batch.targets).toEqual(clean.targets);
    const changed = batch.inputs.data.filter((id, index) => id !== clean.inputs.data[index]).length;
    const expected = 0.3 * 0.9;
    const deviation = Math.sqrt((expected * (1 - expected)) / 1000);
    expect(Math.abs(changed / 1000 - expected)).toBeLessThan(4 * deviation);
  });

  it('leaves everything alone at rate 0', () => {
    expect(corrupted(0).next()).toEqual(windows().next());
  });

  it('goes on from a stored place', () => {
    const source = corrupted(0.5);
    source.next();
    const place = JSON.parse(JSON.stringify(source.cursor()));
    const expected = source.next();
    const resumed = corrupted(0.5, 77);
    resumed.seek(place);
    expect(resumed.next()).toEqual(expected);
  });

  it('refuses rates outside 0 to 1 and foreign places', () => {
    expect(() => corrupted(1.5)).toThrow('0 to 1, but 1.5');
    expect(() => corrupted(0.1).seek({ kind: 'random-windows' })).toThrow("one in 'random-windows'");
  });
});
