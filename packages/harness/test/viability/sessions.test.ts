import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { generateSession } from '../../src/viability/generate-session.js';
import { isListed, parsePack, standardPack, wordsOfSplit } from '../../src/viability/pack.js';
import type { SessionOptions } from '../../src/viability/session.js';
import { wilsonInterval } from '../../src/viability/wilson.js';

const pack = standardPack();

const anySession = fc.record({
  seed: fc.integer({ min: 1, max: 1e6 }),
  facts: fc.integer({ min: 2, max: 120 }),
  queries: fc.integer({ min: 1, max: 20 }),
  split: fc.constantFrom('train', 'heldOut', 'all'),
  updateRate: fc.constantFrom(0, 0.3, 1),
  hard: fc.constantFrom(0, 0.5, 1),
}) as fc.Arbitrary<SessionOptions>;

describe('generated sessions', () => {
  it('have as many facts as asked for, keywords in one fact alone, and what holds now after what held before', () => {
    fc.assert(
      fc.property(anySession, (options) => {
        const { facts, queries } = generateSession(pack, options);
        expect(facts).toHaveLength(options.facts);
        queries.forEach(({ keyword }, k) => {
          const holding = facts.filter(({ text }) => text.toLowerCase().includes(keyword));
          expect(holding).toHaveLength(1);
          expect(holding[0]!.target).toBe(k);
        });
        for (let k = 0; k < queries.length; k++) {
          const at = (kind: string) => facts.findIndex((fact) => fact.kind === kind && fact.target === k);
          expect(at('stale')).toBeLessThanOrEqual(at('update'));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('of training name no word that is held out', () => {
    const heldOut = Object.values(pack.entityTypes)
      .filter(isListed)
      .flatMap((type) => wordsOfSplit(type, 'heldOut'));
    for (let seed = 1; seed <= 30; seed++) {
      const { facts, queries } = generateSession(pack, { seed, facts: 60, queries: 20, split: 'train' });
      const text = [...facts, ...queries].map((one) => one.text).join('\n');
      for (const word of heldOut) expect(text).not.toContain(word);
    }
  });

  it('say when the pack is too small for them', () => {
    expect(() => generateSession(pack, { seed: 1, facts: 500, split: 'heldOut' })).toThrow(
      'give a larger pack',
    );
    expect(() => generateSession(pack, { seed: 1, facts: 30, split: 'all', contrast: 1, hard: 1 })).toThrow(
      'but the pack has',
    );
  });
});

describe('a pack', () => {
  const broken = (change: (copy: ReturnType<typeof standardPack>) => void) => {
    const copy = structuredClone(pack);
    change(copy);
    return () => parsePack(copy, 'my.json');
  };

  it('is refused when a word is part of another, or of a template, or a type is missing', () => {
    const pets = (copy: typeof pack) => copy.entityTypes.petName as { train: string[] };
    expect(broken((copy) => pets(copy).train.push('Rufu'))).toThrow(
      "the word 'rufu' is part of the word 'rufus'",
    );
    expect(broken((copy) => pets(copy).train.push('dog'))).toThrow("the word 'dog' is part of the template");
    expect(broken((copy) => delete copy.entityTypes.petName)).toThrow(
      "of the type 'petName', which is not there",
    );
    expect(() => parsePack({}, 'my.json')).toThrow('my.json is no pack of sessions');
  });
});

it('intervals hold the share that they are of', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 500 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (count, share) => {
        const hits = Math.round(share * count);
        const [low, high] = wilsonInterval(hits, count);
        expect(low).toBeLessThanOrEqual(hits / count + 1e-12);
        expect(high).toBeGreaterThanOrEqual(hits / count - 1e-12);
      },
    ),
  );
});
