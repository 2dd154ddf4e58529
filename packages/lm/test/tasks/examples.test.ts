import { describe, expect, it } from 'vitest';
import { type Draw, GeneratedExamples } from '../../src/index.js';

describe('batches of examples', () => {
  const draw: Draw = (rng) => ({
    inputs: Int32Array.of(rng.int(9), rng.int(9)),
    targets: Int32Array.of(-1, rng.int(9)),
  });
  const options = { name: 'toy', batch: 2, time: 3, seed: 4 };

  it('shorter examples stand at the start, memories begin afresh, equal seeds give equal batches', () => {
    const batch = new GeneratedExamples([draw], options).next();
    expect(batch.inputs.shape).toEqual([2, 3]);
    expect([batch.targets.data[0], batch.targets.data[2], batch.targets.data[5]]).toEqual([-1, -1, -1]);
    expect([...batch.resets.data]).toEqual([1, 1]);
    expect(new GeneratedExamples([draw], options).next()).toEqual(batch);
  });

  it('go on from a cursor that went through JSON, and refuse one of another task', () => {
    const source = new GeneratedExamples([draw], options);
    source.next();
    const cursor = JSON.parse(JSON.stringify(source.cursor()));
    const next = source.next();
    const other = new GeneratedExamples([draw], { ...options, seed: 99 });
    other.seek(cursor);
    expect(other.next()).toEqual(next);
    expect(() => other.seek({ kind: 'mqar' })).toThrow(
      "A place in 'toy' was expected, but this is one in 'mqar'.",
    );
  });
});
