import { askedAgain } from '@palimpsest/ams-v4';
import { describe, expect, it } from 'vitest';
import { generateSession } from '../../src/viability/generate-session.js';
import { largePack } from '../../src/viability/large-pack.js';
import { type Pack, parsePack, standardPack } from '../../src/viability/pack.js';
import { neededBy, rankOfAll } from '../../src/viability/prompts.js';
import { trainingSessions } from '../../src/viability/training-sessions.js';

const sessionOf = (pack: Pack, facts: number, seed = 1) =>
  generateSession(pack, { seed, facts, split: 'heldOut', hops: 2 });

describe.each([
  ['the pack of the house', standardPack(), 50],
  ['the large pack', largePack(), 300],
])('questions that need two memories, of %s', (_, pack, count) => {
  const sessions = [1, 2, 3].map((seed) => sessionOf(pack, count, seed));

  it('name neither the person nor the thing, which stand in one fact each', () => {
    for (const { facts, queries } of sessions) {
      expect(facts).toHaveLength(count);
      expect(queries.length).toBeGreaterThanOrEqual(8);
      for (const [k, { text, keyword, answer }] of queries.entries()) {
        const [right, bridge] = neededBy(facts, k).map((place) => facts[place]!);
        const person = bridge!.entity!.toLowerCase();
        const [asked, told] = [text.toLowerCase(), facts.map((fact) => fact.text.toLowerCase())];
        expect(right!.sub).toBe(person);
        expect(right!.text.toLowerCase()).toContain(person);
        expect(asked).not.toContain(person);
        expect(asked).not.toContain(keyword);
        expect(answer.toLowerCase()).toContain(keyword);
        expect(answer.toLowerCase().startsWith(`${person}'s `)).toBe(true);
        expect(told.filter((one) => one.includes(keyword))).toEqual([right!.text.toLowerCase()]);
        expect(facts.filter(({ entity }) => entity?.toLowerCase() === person)).toEqual([bridge]);
      }
    }
  });

  it('are answered by no relation alone: the same holds of a friend of somebody else', () => {
    for (const { facts, queries } of sessions) {
      const people = new Set(facts.flatMap(({ kind, entity }) => (kind === 'bridge' ? entity! : [])));
      for (const [k, { rel }] of queries.entries()) {
        const answer = facts[neededBy(facts, k)[0]!]!;
        const rivals = facts.filter(
          (fact) => fact.rel === rel && [...people].some((name) => fact.sub === name.toLowerCase()),
        );
        expect(rivals).toContain(answer);
        expect(rivals.length).toBeGreaterThanOrEqual(2);
      }
    }
  });

  it('are the same every time, and leave other sessions as they were', () => {
    expect(sessionOf(pack, count)).toEqual(sessions[0]);
    const plain = { seed: 1, facts: 40, split: 'heldOut' } as const;
    expect(generateSession(pack, { ...plain, hops: 1 })).toEqual(generateSession(pack, plain));
    expect(generateSession(pack, plain).facts.some(({ kind }) => kind === 'bridge')).toBe(false);
  });
});

describe('the training of retrieval for two memories', () => {
  const train = (hops: number) => trainingSessions(standardPack(), { sessions: 9, hops }).sessions;

  it('has both searches of such questions in every third session, and all others as before', () => {
    const [plain, both] = [train(1), train(2)];
    for (const [i, { facts, queries }] of both.entries()) {
      if (i % 3 !== 2) {
        expect({ facts, queries }).toEqual(plain[i]);
        continue;
      }
      expect(queries).toHaveLength(16);
      for (let k = 0; k < queries.length; k += 2) {
        const [first, second] = queries.slice(k, k + 2) as [(typeof queries)[0], (typeof queries)[0]];
        const person = /(\S+)[.]$/.exec(facts[first.target]!)![1]!;
        expect(askedAgain(facts[first.target]!, first.text)).toContain(second.text);
        expect(second.text).toContain(person);
        expect(first.text).not.toContain(person);
        expect(facts[second.target]!.toLowerCase()).toContain(`${person}'s`.toLowerCase());
      }
    }
  });
});

describe('a question that needs two memories', () => {
  it('has as many companions as a third of the facts', () => {
    expect(sessionOf(standardPack(), 7).queries).toHaveLength(2);
    expect(sessionOf(standardPack(), 2).queries).toHaveLength(0);
  });

  it('is refused for a pack without people', () => {
    const pack = structuredClone(standardPack());
    for (const relation of pack.relations) delete relation.owner;
    expect(() => sessionOf(parsePack(pack, 'A pack'), 20)).toThrow(/need a relation with 'owner'/);
  });

  it('is found when both memories are', () => {
    expect(rankOfAll([5, 3, 9], [9, 5])).toBe(3);
    expect(rankOfAll([5, 3, 9], [5, 4])).toBe(0);
    expect(rankOfAll([5, 3], [5])).toBe(1);
  });
});
