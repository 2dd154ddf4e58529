import { describe, expect, it } from 'vitest';
import { withFreshNames } from '../../src/viability/fresh-names.js';
import { largePack } from '../../src/viability/large-pack.js';
import { isListed, type Pack, parsePack, standardPack } from '../../src/viability/pack.js';
import { trainingSessions } from '../../src/viability/training-sessions.js';

/** Listed things and people with names, of both halves. */
const namesIn = ({ subjects, entityTypes }: Pack): string[] => [
  ...subjects.flatMap(({ id, split }) => (split === undefined ? [] : id)),
  ...Object.values(entityTypes).flatMap((type) =>
    isListed(type) ? [...type.train, ...type.heldOut].map((word) => word.toLowerCase()) : [],
  ),
];

describe('fresh names', () => {
  const large = largePack();

  it('make packs that share no name with the pack, nor with each other', () => {
    const one = withFreshNames(large, 1, 200);
    const other = withFreshNames(large, 2, 200);
    expect(parsePack(JSON.parse(JSON.stringify(one)), 'A pack')).toEqual(one);
    expect(withFreshNames(large, 1, 200)).toEqual(one);
    const known = new Set(namesIn(large));
    const names = namesIn(one);
    expect(names.length).toBeGreaterThan(500);
    expect(names.filter((name) => known.has(name))).toEqual([]);
    const both = new Set(names);
    expect(namesIn(other).filter((name) => both.has(name)).length).toBeLessThan(names.length / 20);
  }, 60_000);

  it('leave those who have none, and what is generated', () => {
    const house = standardPack();
    const fresh = withFreshNames(house, 1, 24);
    expect(fresh.subjects).toEqual(house.subjects);
    expect(fresh.relations).toEqual(house.relations);
    expect(fresh.entityTypes.code).toEqual(house.entityTypes.code);
  });

  it('keep what is held out of the training of adapters', () => {
    const { sessions } = trainingSessions(large, { sessions: 3, facts: 60, freshNames: true });
    const told = sessions
      .flatMap(({ facts }) => facts)
      .join('\n')
      .toLowerCase();
    expect(sessions.every(({ facts, queries }) => facts.length === 60 && queries.length > 20)).toBe(true);
    const words = new Set(told.match(/[a-z]+/g));
    expect(namesIn(large).filter((name) => words.has(name))).toEqual([]);
  }, 60_000);
});
