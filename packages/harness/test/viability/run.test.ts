import { TextModel, trainConversation } from '@palimpsest/ams-v4';
import { createTransformer } from '@palimpsest/backbone';
import { createEngine, type Engine, Rng } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateSession } from '../../src/viability/generate-session.js';
import { standardPack } from '../../src/viability/pack.js';
import { runViability, type ViabilityReport } from '../../src/viability/run-viability.js';
import { trainingSessions } from '../../src/viability/training-sessions.js';
import { viabilityMarkdown, viabilityText } from '../../src/viability/viability-report.js';

const pack = standardPack();
let engine: Engine;
let text: TextModel;
let report: ViabilityReport;
const prompts: string[] = [];

/** Every piece of a text is a token; texts that are encoded are noted. */
function tokenizer() {
  const pieces: string[] = [];
  const ids = new Map<string, number>();
  const idOf = (piece: string) => {
    if (!ids.has(piece)) ids.set(piece, (pieces.push(piece) - 1) % 2048);
    return ids.get(piece)!;
  };
  return {
    encode: (whole: string) => {
      prompts.push(whole);
      return Array.from(whole.matchAll(/ ?[\p{L}\p{N}]+|[^\p{L}\p{N}]/gu), ([piece]) => idOf(piece));
    },
    decode: (list: ArrayLike<number>) => Array.from(list, (id) => pieces[id] ?? '').join(''),
    streamingDecoder: () => ({ push: (id: number) => pieces[id] ?? '', flush: () => '' }),
  };
}

beforeAll(async () => {
  engine = await createEngine('cpu');
  const model = createTransformer({
    vocabSize: 2048,
    layers: 2,
    heads: 2,
    modelWidth: 16,
    mlpWidth: 32,
    context: 1024,
    capacity: 1024,
    positions: 'rotary',
    norm: 'rms',
    activation: 'swiglu',
  });
  const params = model.init(Rng.fromSeed(1)) as never;
  text = new TextModel(engine, { model, params, tokenizer: tokenizer(), endIds: [] });
  const { sessions, corpus } = trainingSessions(pack);
  const adapters = await trainConversation(text, sessions.slice(0, 6), { corpus, steps: 40 });
  prompts.length = 0;
  report = await runViability(text, adapters, pack, {
    suite: 'base',
    facts: [10, 20],
    sessions: 1,
    firstSeed: 1,
    modes: [
      'Z_no_memory',
      'X_wrong_memory',
      'D_full_history',
      'B_flat_cos',
      'B_ams_text',
      'A_ams_prefix',
      'C_ams_hybrid',
      'O1_oracle_alone',
    ],
    maxTokens: 4,
  });
}, 600_000);
afterAll(async () => {
  await text.dispose();
  await engine.dispose();
});

describe('a run over a model that knows nothing', () => {
  it('asks all questions in all modes, and does not pass', () => {
    for (const { modes } of report.results) {
      for (const result of Object.values(modes)) expect(result.rates.first.count).toBe(10);
    }
    expect(report.gate.passed).toBe(false);
    expect(report.gate.clauses.find(({ name }) => name === '(c) logits')!.holds).toBe(true);
    expect(report.gate.clauses.find(({ name }) => name === '(e) errors')!.holds).toBe(true);
  });

  it('puts no fact into the prompt of A, whose length does not depend on the number of facts', () => {
    const session = generateSession(pack, { seed: 1, facts: 20, split: 'heldOut' });
    const asked = prompts.filter((prompt) => prompt.endsWith('Assistant:') && prompt.startsWith('User: '));
    const alone = asked.filter((prompt) => prompt.split('\n').length === 2);
    expect(alone.length).toBeGreaterThan(0);
    for (const prompt of alone) for (const fact of session.facts) expect(prompt).not.toContain(fact.text);
    const tokens = (facts: number, mode: 'A_ams_prefix' | 'D_full_history') =>
      report.results.find((one) => one.facts === facts)!.modes[mode]!.inputTokens;
    expect(tokens(20, 'D_full_history')).toBeGreaterThan(1.7 * tokens(10, 'D_full_history'));
    expect(tokens(20, 'A_ams_prefix')).toBeLessThan(1.3 * tokens(10, 'A_ams_prefix'));
  });

  it('says what the prefix was made of, with the verdict first', () => {
    for (const written of [viabilityText(report), viabilityMarkdown(report)]) {
      expect(written).toContain("The gate is not passed on the suite 'base': 10 questions about 10 facts,");
      expect(written).toContain("the model's own keys and values");
      expect(written).toContain('bytes per memory');
      expect(written).toContain('It is no fiber prefix.');
    }
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  });
});

it('training sessions hold no word that is held out', () => {
  const { sessions, corpus } = trainingSessions(pack);
  const told = [
    ...corpus,
    ...sessions.flatMap(({ facts, queries }) => [...facts, ...queries.map((query) => query.text)]),
  ].join('\n');
  for (const type of Object.values(pack.entityTypes)) {
    if ('heldOut' in type) for (const word of type.heldOut) expect(told).not.toContain(word);
  }
  expect([sessions.length, corpus.length]).toEqual([200, 240]);
});
