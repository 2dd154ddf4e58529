import { describe, expect, it } from 'vitest';
import { aggregate } from '../../src/viability/aggregate.js';
import { type AskedQuestion, tellFacts } from '../../src/viability/ask-session.js';
import { generateSession } from '../../src/viability/generate-session.js';
import { standardPack } from '../../src/viability/pack.js';
import { answerOf } from '../../src/viability/prompts.js';

/** A memory that only holds texts. */
function texts() {
  const held: string[] = [];
  return {
    held,
    writeMany: async (all: readonly string[]) =>
      all.map((text) => ({ mid: held.push(text) - 1, known: false })),
    update: async (mid: number, text: string) => {
      held[mid] = text;
    },
  };
}

const session = generateSession(standardPack(), { seed: 3, facts: 20, split: 'heldOut', updateRate: 0.5 });
const ofKind = (kind: string) => session.facts.filter((fact) => fact.kind === kind);

describe('facts that change', () => {
  it('take the place of what held before, and are found where the old one was', async () => {
    const memory = texts();
    const told = await tellFacts(memory, session.facts, true);
    expect(ofKind('update').length).toBe(5);
    expect(memory.held.length).toBe(session.facts.length - 5);
    for (const { text } of ofKind('stale')) expect(memory.held).not.toContain(text);
    for (const query of session.queries.keys()) {
      const fact = session.facts[answerOf(session.facts, query)]!;
      expect(memory.held[told[session.facts.indexOf(fact)]!]).toBe(fact.text);
    }
  });

  it('stay beside what held before when nothing is replaced, in their order', async () => {
    const memory = texts();
    expect(await tellFacts(memory, session.facts, false)).toEqual([...session.facts.keys()]);
    expect(memory.held).toEqual(session.facts.map(({ text }) => text));
  });

  it('are what stale answers are counted of', () => {
    const asked = (changed: boolean, staleHit: boolean) =>
      ({ changed, staleHit, looked: 0 }) as AskedQuestion;
    const questions = [asked(true, true), asked(true, false), asked(false, false), asked(false, false)];
    expect(aggregate(questions).rates.stale).toMatchObject({ hits: 1, count: 2, rate: 0.5 });
    expect(aggregate(questions).rates.first.count).toBe(4);
  });
});
