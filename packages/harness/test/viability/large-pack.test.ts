import { describe, expect, it } from 'vitest';
import { generateSession } from '../../src/viability/generate-session.js';
import { largePack, unseenPack } from '../../src/viability/large-pack.js';
import { isListed, parsePack, standardPack, subjectsOfSplit } from '../../src/viability/pack.js';

describe('the large pack', () => {
  const pack = largePack();

  it('is made alike every time, and is a pack', () => {
    expect(largePack()).toEqual(pack);
    expect(parsePack(JSON.parse(JSON.stringify(pack)), 'The large pack')).toEqual(pack);
  }, 60_000);

  it('has no name in both halves, and none of the house', () => {
    const house = JSON.stringify(standardPack()).toLowerCase();
    const namesOf = (split: 'train' | 'heldOut') => [
      ...subjectsOfSplit(pack, split).map(({ id }) => id),
      ...Object.values(pack.entityTypes).flatMap((type) => (isListed(type) ? type[split] : [])),
    ];
    const [train, heldOut] = [namesOf('train'), namesOf('heldOut')];
    const all = [...train, ...heldOut].map((name) => name.toLowerCase());
    expect(train.length).toBe(heldOut.length);
    expect(new Set(all).size).toBe(all.length);
    expect(all.filter((name) => house.includes(name))).toEqual([]);
  });

  it.each([1000, 5000])('is enough for %d facts, each keyword in one of them', (facts) => {
    const session = generateSession(pack, { seed: 1, facts, queries: 10, split: 'heldOut' });
    expect(session.facts).toHaveLength(facts);
    const held = new Set(subjectsOfSplit(pack, 'heldOut').map(({ id }) => id));
    expect(session.facts.every(({ sub }) => sub === null || held.has(sub))).toBe(true);
    for (const { keyword } of session.queries) {
      expect(session.facts.filter(({ text }) => text.toLowerCase().includes(keyword))).toHaveLength(1);
    }
  });
});

it('has a sister of known people and sentences, whose things stand in no other pack', () => {
  const [house, unseen] = [standardPack(), unseenPack()];
  expect(unseen.subjects).toEqual(house.subjects);
  expect(unseen.relations).toEqual(house.relations);
  const known = JSON.stringify(house).toLowerCase();
  const words = Object.values(unseen.entityTypes).flatMap((type) => (isListed(type) ? type.heldOut : []));
  expect(words.length).toBeGreaterThan(1000);
  expect(words.filter((word) => known.includes(word.toLowerCase()))).toEqual([]);
});
