import { Rng } from '@palimpsest/base';
import { CharacterTokenizer } from '@palimpsest/lm';
import { describe, expect, it } from 'vitest';
import { fitnessOf } from '../../src/evolution/fitness.js';
import { rankScores } from '../../src/evolution/rank-scores.js';
import { FACT_CHARACTERS } from '../../src/evolution/tasks/planted-facts.js';
import { parseRecords, recordTask } from '../../src/evolution/tasks/record-task.js';
import { bestScore, firstLine, textMetrics } from '../../src/evolution/tasks/text-metrics.js';
import { fitPrompt, textSample } from '../../src/evolution/tasks/text-sample.js';
import { writtenTask, writtenTaskNames } from '../../src/evolution/tasks/written-tasks.js';

const words = 'sun rain hill cloud stone river bread wind tree lamp road bird fish moon salt'.split(' ');
const rng = Rng.fromSeed(1);
const background = Array.from({ length: 4000 }, () => words[rng.int(words.length)]).join(' ');
const tokenizer = CharacterTokenizer.fromText(
  `${background}\nabcdefghijklmnopqrstuvwxyz0123456789 Paragraph: The words "are" in of is. >different number marked,${FACT_CHARACTERS}`,
);
const options = { tokenizer, background, length: 600, size: 8 };

describe('metrics of answers', () => {
  it('ROUGE-L is the F1 of the longest common subsequence of words', () => {
    const { score } = textMetrics.rougeL;
    expect(score('a b c d', 'a c d e')).toBeCloseTo(0.75, 12);
    expect(score('a b', 'b a b c')).toBeCloseTo((2 * 1 * 0.5) / 1.5, 12);
    expect(score('', 'a')).toBe(0);
  });

  it('likeness of code takes the first line that is none of a comment, in whole percents', () => {
    const { score } = textMetrics.codeSimilarity;
    expect(score('# no\n// no\n`no`\nabcd', 'abcd')).toBe(1);
    expect(score('abcd', 'abxd')).toBe(0.75);
    expect(score('abc', 'abcde')).toBe(0.75);
    expect(score('# only', 'abc')).toBe(0);
  });

  it('classification loses parts of the true name, all of them unless it shall be as published', () => {
    const context = { allClasses: ['a', 'ab', 'abc', 'x'] };
    expect(bestScore('classification', 'abc', ['abc'], context)).toBe(1);
    expect(bestScore('classification', 'abc', ['abc'], { ...context, parity: true })).toBe(0.5);
    expect(bestScore('classification', 'abc x', ['x'], context)).toBeCloseTo(0.25, 12);
  });

  it('the best of several right answers counts', () => {
    expect(bestScore('qaF1', 'the red house', ['a blue house', 'red house'])).toBe(1);
    expect(firstLine('\n\nyes\nno')).toBe('yes');
  });
});

describe('fitness', () => {
  it('is the mean over tasks beside the full cache', () => {
    const reference = { a: { 0: 50, 1: 70 }, b: { 0: 20 } };
    const { fitness, normalised } = fitnessOf({ a: 30, b: 30 }, { reference, percents: true });
    expect(normalised.a).toBeCloseTo(0.5, 6);
    expect(normalised.b).toBeCloseTo(1.5, 6);
    expect(fitness).toBeCloseTo(1, 6);
    expect(fitnessOf({ a: 30 }).fitness).toBeCloseTo(0.3, 12);
  });

  it('lets no task count more because the full cache cannot do it', () => {
    expect(fitnessOf({ a: 40 }, { reference: { a: { 0: 0 } }, percents: true }).fitness).toBe(0.4);
  });

  it('names what is missing', () => {
    expect(() => fitnessOf({})).toThrow('at least one task');
    expect(() => fitnessOf({ a: 1 }, { reference: {} })).toThrow(
      "no score of the full cache for the task 'a'",
    );
    expect(() => fitnessOf({ a: 1 }, { reference: { a: { 0: 1 } }, samples: { a: [3] } })).toThrow(
      'sample 3',
    );
  });

  it('as ranks is evenly spaced, and ties share theirs', () => {
    expect(rankScores([3, 9, 5])).toEqual([-0.5, 0.5, 0]);
    expect(rankScores([1, 7, 7, 9, 7])).toEqual([-0.5, 0, 0, 0.5, 0]);
    expect(rankScores([2, 2])).toEqual([0, 0]);
  });
});

describe.each(writtenTaskNames)('the task %s', (name) => {
  it('writes prompts of exactly the length, and the same sample each time', () => {
    const task = writtenTask(name, options);
    for (const split of ['train', 'validation', 'test'] as const) {
      for (let index = 0; index < task.size; index++) {
        const { trial } = task.sample(split, index);
        expect(trial.prompt.length).toBe(600);
        expect(trial.target!.length).toBeGreaterThan(0);
        expect(writtenTask(name, options).sample(split, index).trial).toEqual(trial);
      }
    }
  });

  it('has different samples in different splits', () => {
    const task = writtenTask(name, options);
    const texts = (['train', 'validation', 'test'] as const).flatMap((split) =>
      Array.from({ length: 8 }, (_, index) => tokenizer.decode(task.sample(split, index).trial.prompt)),
    );
    expect(new Set(texts).size).toBe(24);
  });

  it('scores a right answer 1 and a wrong one less', () => {
    if (name === 'characterLm') return;
    const task = writtenTask(name, { ...options, scoring: 'answer', maxNewTokens: 24 });
    const asLikelihood = writtenTask(name, options);
    for (let index = 0; index < 8; index++) {
      const sample = task.sample('train', index);
      const target = asLikelihood.sample('train', index).trial.target!;
      const outcome = { kept: [], passing: [], lengths: [] };
      expect(sample.trial.maxNewTokens).toBe(24);
      expect(sample.score({ ...outcome, answer: target })).toBe(1);
      expect(sample.score({ ...outcome, answer: tokenizer.encode('zzzz') })).toBe(0);
    }
  });
});

describe('questions', () => {
  it('of retrieval quote the paragraph that is the answer', () => {
    const { trial } = writtenTask('passageRetrieval', options).sample('train', 3);
    const text = tokenizer.decode(trial.prompt);
    const quoted = /The words "(.*)" are in/.exec(text)![1]!;
    const paragraph = new RegExp(`Paragraph ${tokenizer.decode(trial.target!)}: (.*)`).exec(text)![1]!;
    expect(paragraph).toContain(quoted);
  });

  describe.each(['plantedFacts', 'factsFirst', 'changedFacts'])('of %s', (name) => {
    const texts = Array.from({ length: 8 }, (_, index) => {
      const { prompt, target } = writtenTask(name, options).sample('test', index).trial;
      return { text: tokenizer.decode(prompt), answer: tokenizer.decode(target!) };
    });

    // Signs of one key stand side by side in the vocabulary.
    const rows = FACT_CHARACTERS.slice(-60).match(/.{5}/gu)!;
    const rowOf = (sign: string) => rows.find((row) => row.includes(sign))!;

    it('are answered by what was told last', () => {
      const keys = new Map<string, string>();
      for (const { text, answer } of texts) {
        const latest = new Map<string, string>();
        for (const [, sign, asked, said] of (text + answer).matchAll(/<(.)>|#(.)(.)/gu)) {
          if (sign !== undefined) latest.set(rowOf(sign), sign);
          else expect(latest.get(rowOf(said!))).toBe(said);
          if (asked !== undefined) expect(keys.get(asked) ?? rowOf(said!)).toBe(rowOf(said!));
          if (asked !== undefined) keys.set(asked, rowOf(said!));
        }
      }
    });

    it('end with as many questions in every text of a length, each about another fact', () => {
      for (const { text, answer } of texts) {
        const asked = [...(text.slice(-1) + answer).matchAll(/#?([α-ω])./gu)].map(([, key]) => key);
        expect(asked).toHaveLength(6);
        expect(new Set(asked).size).toBe(6);
      }
    });
  });

  it('about facts that change tell some of them twice, those told first stand before all text', () => {
    const textOf = (name: string, index: number) =>
      tokenizer.decode(writtenTask(name, { ...options, size: 8 }).sample('train', index).trial.prompt);
    const tellings = (text: string) => [...text.matchAll(/<(.)>/gu)].map(([, sign]) => row(sign!));
    const row = (sign: string) =>
      FACT_CHARACTERS.slice(-60)
        .match(/.{5}/gu)!
        .find((own) => own.includes(sign));
    const changed = Array.from({ length: 8 }, (_, index) => tellings(textOf('changedFacts', index)));
    expect(changed.some((keys) => new Set(keys).size < keys.length)).toBe(true);
    for (let index = 0; index < 8; index++) {
      const planted = tellings(textOf('plantedFacts', index));
      expect(new Set(planted).size).toBe(planted.length);
      expect(textOf('factsFirst', index)).toMatch(/^[^<]*( <.>)+[^<]*$/u);
    }
  });

  it('whose answer the vocabulary cannot tell are refused', () => {
    const plain = CharacterTokenizer.fromText(background);
    expect(() => writtenTask('plantedFacts', { ...options, tokenizer: plain }).sample('train', 0)).toThrow(
      "An answer of the task 'plantedFacts' cannot be told in this vocabulary, which has no '",
    );
  });

  it('keep the first and last halves of a prompt that is too long', () => {
    expect([...fitPrompt(Int32Array.of(1, 2, 3, 4, 5, 6, 7), 5)]).toEqual([1, 2, 3, 6, 7]);
    const question = { prompt: 'abcdefghij', golds: ['kl'], metric: 'qaF1' } as const;
    const asking = { tokenizer, scoring: 'likelihood', maxNewTokens: 9, maxConditioning: 6 } as const;
    expect(tokenizer.decode(textSample(question, asking).trial.prompt)).toBe('abij');
  });

  it('of a file are split so that no split sees another', () => {
    const lines = Array.from({ length: 20 }, (_, i) =>
      JSON.stringify({ prompt: `q ${i}`, answers: [`${i}`] }),
    ).join('\n');
    const task = recordTask('own', parseRecords(lines, 'file'), {
      tokenizer,
      scoring: 'likelihood',
      maxNewTokens: 4,
    });
    expect(task.size).toBe(4);
    const seen = (['train', 'validation', 'test'] as const).flatMap((split) =>
      Array.from({ length: 4 }, (_, i) => tokenizer.decode(task.sample(split, i).trial.prompt)),
    );
    expect(new Set(seen).size).toBe(12);
    expect(() => parseRecords('{"prompt":"a"}', 'f.jsonl')).toThrow(
      "f.jsonl, line 1: 'answers' does not fit",
    );
    expect(() => recordTask('own', [], { tokenizer, scoring: 'answer', maxNewTokens: 4 })).toThrow(
      '5 are the least',
    );
  });

  it('that cannot be are refused', () => {
    expect(() => writtenTask('none', options)).toThrow("There is no task 'none'");
    expect(() => writtenTask('keyValueRecall', { ...options, background: 'short' })).toThrow(
      'at least 200 characters',
    );
    expect(() => writtenTask('keyValueRecall', { ...options, length: 20 }).sample('train', 0)).toThrow(
      'does not fit into 20 tokens',
    );
  });
});
