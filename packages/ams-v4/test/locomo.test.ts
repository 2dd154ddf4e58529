import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { KeyValueMemory, TextModel, trainConversation } from '../src/index.js';
import { bundleScores } from '../src/locomo/bundle-scores.js';
import {
  evidenceRecall,
  leaveOneOut,
  recallFigures,
  withNeighbours,
  wordScores,
} from '../src/locomo/evidence-recall.js';
import { hashedWords } from '../src/locomo/hashed-words.js';
import { learnedBundles } from '../src/locomo/learned-bundles.js';
import { type LongConversation, readLocomo } from '../src/locomo/read-locomo.js';
import { statesOf } from '../src/locomo/states.js';
import { loadStates, saveStates } from '../src/locomo/states-file.js';
import { withEngine } from './support/engine.js';
import { talks, wordModel } from './support/word-model.js';

const engine = withEngine();
const folder = mkdtempSync(join(tmpdir(), 'palimpsest-locomo-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const turn = (dia_id: string, speaker: string, text: string, blip_caption?: string) => ({
  dia_id,
  speaker,
  text,
  ...(blip_caption === undefined ? {} : { blip_caption }),
});

/** Sessions out of order, ids in one string, evidence that is not there, and an answer behind its question. */
const conversation = {
  sample_id: 'one',
  conversation: {
    speaker_a: 'Ada',
    session_10: [turn('D10:1', 'Ben', 'A kite flew over the hill.')],
    session_10_date_time: '1 May',
    session_2: [
      turn('D2:1', 'Ada', 'Which instrument do you play in the band?'),
      turn('D2:2', 'Ben', 'The harmonica.'),
      turn('D2:3', 'Ada', 'Look at this!', 'a lighthouse at dusk'),
    ],
  },
  qa: [
    { question: 'Which instrument does Ben play in the band?', evidence: ['D2:2'], category: 4, answer: 'x' },
    { question: 'Who saw the lighthouse, and where was the kite?', evidence: ['D2:3; D10:1'], category: 1 },
    { question: 'Nothing', evidence: ['D9:9'], category: 5 },
  ],
};
const path = join(folder, 'conversations.json');
writeFileSync(path, JSON.stringify([conversation, { ...conversation, sample_id: 'two' }]));

describe('conversations of LoCoMo', () => {
  it('are read in the order in which they were held, with what pictures show', async () => {
    const [one] = await readLocomo(path);
    expect(one!.turns.map(({ session }) => session)).toEqual([2, 2, 2, 10]);
    expect(one!.turns[2]!.text).toBe('Look at this! a lighthouse at dusk');
    expect(one!.questions).toEqual([
      { text: conversation.qa[0]!.question, category: 'single-hop', evidence: [1] },
      { text: conversation.qa[1]!.question, category: 'multi-hop', evidence: [2, 3] },
    ]);
  });

  it('are refused in one sentence when they are none', async () => {
    const bad = join(folder, 'bad.json');
    writeFileSync(bad, '[{"sample_id": 3}]');
    await expect(readLocomo(bad)).rejects.toThrow("has no conversations of LoCoMo: '0.sample_id'");
    await expect(readLocomo(join(folder, 'none.json'))).rejects.toThrow('cannot be read');
  });

  it('are scored by BM25 with k1 = 1.5, as the formula says', async () => {
    const [one] = await readLocomo(path);
    const scores = wordScores(one!)[1]!;
    // 'kite', 'the' and 'hill' are not in the same turns: of the question's words turn 3 has 'the' and 'kite'.
    const lengths = [9, 3, 8, 7];
    const mean = lengths.reduce((sum, length) => sum + length, 0) / 4;
    const part = (df: number, length: number) =>
      (Math.log(1 + (4 - df + 0.5) / (df + 0.5)) * 2.5) / (1 + 1.5 * (0.25 + (0.75 * length) / mean));
    // The question has 'the' twice; three turns have it.
    expect(scores[3]).toBeCloseTo(part(1, 7) + 2 * part(3, 7), 10);
  });

  it('are found better with the turn before, where the answer stands behind what was asked', async () => {
    const [one] = await readLocomo(path);
    const plain = wordScores(one!);
    expect(evidenceRecall(one!, plain, 1)[0]).toBe(0);
    const near = withNeighbours(one!, plain, { before: 2, behind: 0 });
    expect(evidenceRecall(one!, near, 1)[0]).toBe(1);
    // Not across meetings.
    expect(near[1]![3]).toBe(plain[1]![3]);
  });

  it('choose settings on the others, and give a mean with its error', async () => {
    const both = await readLocomo(path);
    const scored = (c: number, setting: number) =>
      c === setting ? wordScores(both[c]!) : wordScores(both[c]!).map((s) => s.map(() => 0));
    // Setting c is good on conversation c alone, so the other one is chosen for it.
    const { chosen, recalls } = leaveOneOut(both, [0, 1], scored, 1);
    expect(chosen).toEqual([1, 0]);
    const [overall] = recallFigures(both, recalls);
    expect(overall!.questions).toBe(4);
    const shares = recalls.flat();
    const mean = shares.reduce((a, b) => a + b, 0) / 4;
    expect(overall!.mean).toBeCloseTo(mean, 12);
    expect(overall!.standardError).toBeCloseTo(
      Math.sqrt(shares.reduce((a, b) => a + (b - mean) ** 2, 0) / 3 / 4),
      12,
    );
    const one = both.slice(0, 1);
    const refusal = 'give at least two that have questions with evidence, not 1.';
    expect(() => leaveOneOut(one, [0], scored, 1)).toThrow(refusal);
    // Of others there are none to choose by.
    const withMute = [both[0]!, { ...both[1]!, questions: [] }];
    expect(() => leaveOneOut(withMute, [0], scored, 1)).toThrow(refusal);
    const three = leaveOneOut([...both, withMute[1]!], [0, 1], (c, s) => (c < 2 ? scored(c, s) : []), 1);
    expect(three).toEqual({ chosen: [1, 0, 0], recalls: [...recalls, []] });
  });
});

describe('the bundles of a memory', () => {
  it('score every turn for every question, turns in more than one portion and the same words said twice', async () => {
    const text = new TextModel(engine(), wordModel());
    const adapters = await trainConversation(text, talks(6, 1), { steps: 10, memory: { lexicalWeight: 3 } });
    const told = talks(9, 40).flatMap(({ facts }) => facts);
    const turns = [...told, told[0]!].map((said, i) => ({ speaker: 'AB'[i % 2]!, text: said, session: 1 }));
    const questions = talks(1, 40)[0]!.queries.map(({ text: question, target }) => ({
      text: question,
      category: 'single-hop' as const,
      evidence: [target],
    }));
    const conversation: LongConversation = { id: 'one', turns, questions };
    const scores = await bundleScores(text, adapters, conversation);
    expect(turns.length).toBeGreaterThan(64);
    expect(scores.map((own) => own.length)).toEqual(questions.map(() => turns.length));
    // A memory that keeps keys and values finds by the same scores, once words count for nothing.
    const config = { ...adapters.config, lexicalWeight: 0 };
    const whole = new KeyValueMemory(text, { ...adapters, config });
    for (const { speaker, text: said } of turns) await whole.write(`${speaker}: ${said}`, { force: true });
    const found = await whole.retrieve(
      questions.map((question) => question.text),
      turns.length,
    );
    for (const [i, list] of found.entries()) {
      expect(list).toHaveLength(turns.length);
      for (const { mid, score } of list) expect(scores[i]![mid]).toBeCloseTo(score, 4);
      const order = new Set(Array.from(scores[i]!, (score) => score.toFixed(4)));
      expect(order.size).toBeGreaterThan(turns.length / 2);
    }
    await whole.dispose();
    await text.dispose();
  }, 60_000);
});

describe('bundles that learn from other conversations', () => {
  const pets = ['dog', 'cat', 'parrot', 'tortoise', 'horse', 'rabbit'];
  const made = (id: string, shift: number): LongConversation => ({
    id,
    turns: pets.map((pet, i) => ({ speaker: 'AB'[i % 2]!, text: `my ${pet} eats ${shift + i}`, session: 1 })),
    questions: pets.map((pet, i) => ({
      text: `what does the ${pet} eat`,
      category: 'single-hop',
      evidence: [i],
    })),
  });
  const four = ['a', 'b', 'c', 'd'].map((id, shift) => made(id, 10 * shift));

  it('find by hashed words what they did not learn from, and hold others back to choose settings by', async () => {
    const { scores, held } = await learnedBundles(engine(), four, four.map(hashedWords), () => {}, 20);
    const recalls = four.map((one, c) => evidenceRecall(one, scores[c]!, 1));
    expect(recalls.flat().reduce((sum, share) => sum + share, 0) / 24).toBeGreaterThan(0.7);
    held.forEach((own, c) => {
      expect(own.size).toBe(2);
      expect(own.has(c)).toBe(false);
    });
    // Evidence of the conversation that is scored has no part in its scores.
    const lying = four.map((one, c) =>
      c === 0 ? { ...one, questions: one.questions.map((q, i) => ({ ...q, evidence: [(i + 1) % 6] })) } : one,
    );
    const other = await learnedBundles(engine(), lying, lying.map(hashedWords), () => {}, 20);
    expect(other.scores[0]).toEqual(scores[0]);
    expect(other.scores[1]).not.toEqual(scores[1]);
  }, 120_000);

  it('read what a model makes of turns once, and keep it in a file', async () => {
    const text = new TextModel(engine(), wordModel());
    const states = await statesOf(text, four, () => {});
    expect(states[0]!.turns.map((rows) => [rows.length, rows[0]!.length])).toEqual([
      [6, 32],
      [6, 32],
      [6, 32],
    ]);
    // The mean of a late layer is that of a pass over the turn alone, without its first token.
    const ids = text.encode('A: my dog eats 0');
    const { pooled } = await text.read([ids], Math.round((5 * 3) / 6), 1, false);
    states[0]!.turns[2]![0]!.forEach((value, i) => {
      expect(value).toBeCloseTo(pooled.data[i]!, 4);
    });
    const file = join(folder, 'states.safetensors');
    await saveStates(file, four, states);
    expect(await loadStates(file, four)).toEqual(states);
    expect(await loadStates(join(folder, 'nothing'), four)).toBeUndefined();
    await expect(loadStates(file, four.slice(1))).rejects.toThrow('states of other conversations');
    await text.dispose();
  }, 60_000);
});
