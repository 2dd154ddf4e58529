import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type LongMemEntry, readLongMemEval, saidBy } from '../../src/viability/long-mem-eval/entries.js';
import { generateEntries } from '../../src/viability/long-mem-eval/generate-entries.js';
import {
  answerIn,
  hasAnswer,
  hasNewAnswer,
  keywordF1,
  keywordsOf,
} from '../../src/viability/long-mem-eval/keywords.js';
import { longMemText } from '../../src/viability/long-mem-eval/long-mem-text.js';
import { rememberingWords } from '../../src/viability/long-mem-eval/remembering.js';
import { runLongMemEval } from '../../src/viability/long-mem-eval/run-long-mem-eval.js';
import { standardPack } from '../../src/viability/pack.js';

const folder = mkdtempSync(join(tmpdir(), 'palimpsest-talks-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const written = (name: string, value: unknown): string => {
  const path = join(folder, name);
  writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value));
  return path;
};

const entry: LongMemEntry = {
  question_id: 'q1',
  question_type: 'single-session-user',
  question: 'What is my dog called?',
  answer: 'Your dog is called Rufus.',
  haystack_sessions: [
    [
      { role: 'user', content: '  My dog is called Rufus.  ' },
      { role: 'assistant', content: 'A fine name for a dog, Rufus is.' },
    ],
    [
      { role: 'user', content: 'Thank you.' },
      { role: 'user', content: `My cat sleeps ${'all day '.repeat(100)}` },
    ],
  ],
  answer_session_ids: ['0'],
};

describe('keywords', () => {
  it('are words of two letters and more that tell something', () => {
    expect([...keywordsOf("My sister's dog is called Rufus, a 3-year-old!")]).toEqual([
      ...['sister', 'dog', 'called', 'rufus', 'year', 'old'],
    ]);
  });

  it('give the harmonic mean of precision and recall', () => {
    // wanted: dog, called, rufus; given: rufus, sleeps: one in common, 2 / (3 + 2).
    expect(keywordF1('Rufus sleeps.', 'Your dog is called Rufus.')).toBeCloseTo(0.4, 12);
    expect(keywordF1('The', 'Your dog is called Rufus.')).toBe(0);
    expect(keywordF1('Rufus', 'You and me')).toBe(0);
  });

  it('as the published program counts them are parts of words, and of the question', () => {
    const [question, wanted] = ['What is my dog called?', 'Your dog is called Rufus.'];
    expect(hasAnswer('hotdogs', wanted)).toBe(true);
    expect(hasAnswer('a cat', wanted)).toBe(false);
    expect(hasNewAnswer('Your dog is called Felix.', wanted, question)).toBe(false);
    expect(hasNewAnswer('rufus', wanted, question)).toBe(true);
    expect(hasNewAnswer('It is called so.', 'called', 'Is it called so?')).toBe(true);
    expect(hasAnswer('anything', 'it is')).toBe(false);
    expect(answerIn(['nothing', 'RUFUS barks'], wanted)).toBe(true);
    expect(answerIn([], wanted)).toBe(false);
  });
});

describe('a file', () => {
  it('is read as it is published: answers that are numbers, fields that are not needed', async () => {
    const path = written('good.json', [
      { ...entry, answer: 3, question_date: '2023/05/30 (Tue) 23:40', haystack_session_ids: ['a', 'b'] },
    ]);
    const [read] = await readLongMemEval(path);
    expect(read!.answer).toBe('3');
    expect(saidBy(read!).map(({ session }) => session)).toEqual(['a', 'b']);
  });

  it('is remembered by the user’s turns of more than ten characters, cut at 500', () => {
    const said = saidBy(entry);
    expect(said.map(({ session }) => session)).toEqual(['0', '1']);
    expect(said[0]!.text).toBe('My dog is called Rufus.');
    expect(said[1]!.text).toHaveLength(500);
  });

  it.each([
    ['{}', 'is not a list of questions'],
    ['[{"question_id": 1}]', 'is not a list of questions as LongMemEval has them: 0.question_type'],
    ['[', 'bad.json'],
  ])('with %s is refused in one sentence', async (source, sentence) => {
    await expect(readLongMemEval(written('bad.json', source))).rejects.toThrow(sentence);
  });

  it('that is not there is said to be so', async () => {
    await expect(readLongMemEval(join(folder, 'none.json'))).rejects.toThrow('There is no file');
  });
});

describe('generated entries', () => {
  const entries = generateEntries(standardPack(), { entries: 80, seed: 5, facts: 12, sessions: 4 });

  it('are the same for the same seed, and a quarter of each kind', () => {
    const again = generateEntries(standardPack(), { entries: 80, seed: 5, facts: 12, sessions: 4 });
    expect(again).toEqual(entries);
    const kinds = entries.map(({ question_id: id }) => id.replace(/-\d+/, ''));
    for (const kind of ['single-session-user', 'knowledge-update', 'multi-session', 'abstention_abs'])
      expect(kinds.filter((one) => one === kind)).toHaveLength(20);
  });

  it('tell every fact once, and what a question needs in different talks', () => {
    for (const one of entries) {
      const said = one.haystack_sessions.flat().filter(({ role }) => role === 'user');
      expect(said).toHaveLength(12);
      expect(new Set(said.map(({ content }) => content)).size).toBe(12);
      const needs = { 'single-session-user': 1, 'knowledge-update': 2, 'multi-session': 2 }[
        one.question_type
      ];
      expect(one.answer_session_ids).toHaveLength(one.question_id.endsWith('_abs') ? 0 : needs!);
    }
  });

  it('tell what holds now after what held before', () => {
    const changed = entries.filter(({ question_type: type }) => type === 'knowledge-update');
    for (const one of changed) {
      const order = one.answer_session_ids.map((id) => one.haystack_session_ids!.indexOf(id));
      expect(order[1]).toBeGreaterThan(order[0]!);
      const last = one.haystack_sessions[order[1]!]!.map(({ content }) => content).join(' ');
      const thing = one.answer.replace(/\.$/, '').split(' ').at(-1)!;
      expect(last).toContain(thing);
    }
  });

  it.each([
    [{ facts: 3, sessions: 2 }, '3 facts are too few'],
    [{ facts: 8, sessions: 1 }, 'two talks or more'],
  ])('of %j are refused', (options, sentence) => {
    expect(() => generateEntries(standardPack(), { entries: 4, seed: 1, ...options })).toThrow(sentence);
  });
});

describe('a run', () => {
  it('counts what was answered and found, by kind, and what was never told apart', async () => {
    const never = { ...entry, question_id: 'q2_abs', answer: 'Not told.' };
    const update = {
      ...entry,
      question_id: 'q3',
      question_type: 'knowledge-update',
      answer_session_ids: ['0', '1'],
    };
    const answers = ['Rufus', 'I do not know.', 'Your cat'];
    let asked = 0;
    const report = await runLongMemEval([entry, never, update], async () => ({
      answer: answers[asked++]!,
      found: [0],
    }));
    // Rufus: one of three wanted words, 2 / (3 + 1); the cat: none.
    expect(report.byType['single-session-user']!.keywordF1).toBeCloseTo(0.5, 12);
    expect(report.byType['knowledge-update']!.keywordF1).toBe(0);
    expect(report.typeAveraged).toEqual({ keywordF1: 0.25, hasAnswer: 0.5 });
    expect(report.overall.sessionRecall).toBeCloseTo(0.75, 12);
    expect(report.overall.answerInFound.hits).toBe(2);
    expect(report.abstention).toMatchObject({ short: { hits: 0, count: 1 }, said: { hits: 1, count: 1 } });
    expect(report.memories.written).toEqual({ min: 2, max: 2, mean: 2 });
    const lines = longMemText(report, 80);
    expect(lines).toContain('Mean over types: keyword F1 0.250, has answer 0.500.');
    // All that was answered stands under the best already.
    expect(lines).toContain('\nBest:');
    expect(lines).not.toContain('Worst');
    for (const line of lines.split('\nBest:')[0]!.split('\n').slice(0, 5))
      expect(line.length).toBeLessThanOrEqual(80);
  });

  it('by words alone finds the turns that share them', async () => {
    const report = await runLongMemEval([entry], rememberingWords(1));
    expect(report.results[0]).toMatchObject({ found: ['My dog is called Rufus.'], sessionRecall: 1 });
    expect(report.overall.hasAnswer).toBeNull();
    expect(report.abstention).toBeNull();
  });

  it('of a talk without a word of the user finds nothing', async () => {
    const silent = {
      ...entry,
      haystack_sessions: [[{ role: 'assistant', content: 'Is anybody there at all?' }]],
    };
    const report = await runLongMemEval([silent], rememberingWords(1));
    expect(report.overall.answerInFound.hits).toBe(0);
  });
});
