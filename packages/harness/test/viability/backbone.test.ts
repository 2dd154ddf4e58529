import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTransformer, loadPretrained, PretrainedTokenizer } from '@palimpsest/backbone';
import type { TrainingEvent } from '@palimpsest/lm';
import { createEngine, type Engine, ndarray, Rng, runOnce, type tf } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LONGEST_TEXT, pocketInit, pocketOptions } from '../../src/viability/backbone/pocket-model.js';
import { SampleMaker } from '../../src/viability/backbone/samples.js';
import { BATCH_TOKENS, SessionBatches } from '../../src/viability/backbone/session-batches.js';
import { budgets, trainBackbone } from '../../src/viability/backbone/train-backbone.js';
import { wildWord } from '../../src/viability/backbone/unknown-words.js';
import { largePack } from '../../src/viability/large-pack.js';
import { isMilled } from '../../src/viability/made-up-names.js';
import { isListed, standardPack, wordsOfSplit } from '../../src/viability/pack.js';
import { END_TOKEN, trainPocketTokenizer } from '../../src/viability/pocket-tokenizer.js';
import { SessionRandom } from '../../src/viability/session-random.js';

const pack = standardPack();
const folder = mkdtempSync(join(tmpdir(), 'palimpsest-backbone-'));
let engine: Engine;
let tokenizer: PretrainedTokenizer;
let samples: SampleMaker;

beforeAll(async () => {
  engine = await createEngine('onnx', { threads: 1 });
  tokenizer = new PretrainedTokenizer(trainPocketTokenizer(pack), { eos_token: END_TOKEN });
  samples = new SampleMaker(pack, tokenizer, tokenizer.endId!);
}, 120_000);
afterAll(async () => {
  await engine.dispose();
  rmSync(folder, { recursive: true, force: true });
});

/** A question about somebody's friend, and whose thing its answer names. */
const FRIENDS = /User: [^\n]* (\S+'s|my) (best friend|roommate|cousin)'s [^\n]*[?]\nAssistant: (\S+)'s /g;

const textOf = (ids: readonly number[]) => tokenizer.decode(ids, { skipSpecialTokens: false });

describe('samples of sessions', () => {
  it('tell every fact and ask behind them; answers and their ends count, line breaks behind them do not', () => {
    const { ids, weights } = samples.told(1e9, 6);
    const lines = textOf(ids).split('\n');
    expect(lines.slice(0, 6).every((line) => /^(User|Context): .*[.]$/.test(line))).toBe(true);
    expect(lines[6]).toMatch(/^User: .*[?]$/);
    expect(lines[7]).toMatch(/^Assistant: .*<\|endoftext\|>$/);
    const counted = ids.filter((_, i) => weights[i] === 1);
    const answers = lines.filter((line) => line.startsWith('Assistant:'));
    expect(textOf(counted)).toBe(answers.map((line) => line.slice('Assistant:'.length)).join(''));
    expect(ids.filter((_, i) => weights[i] === 0).every((id) => textOf([id]) === '\n')).toBe(true);
  });

  it('have two things of five under names that nobody has seen, the same in fact and answer', () => {
    const known = new Set(
      Object.values(pack.entityTypes).flatMap((type) =>
        'train' in type ? [...type.train, ...type.heldOut] : [],
      ),
    );
    let [asked, unknown] = [0, 0];
    for (let seed = 0; seed < 40; seed++) {
      const text = textOf(samples.told(1e9 + seed, 8).ids);
      const told = text.slice(0, text.indexOf('Assistant:'));
      for (const [, answer] of text.matchAll(/Assistant: (.*)<\|endoftext\|>/g)) {
        asked += 1;
        const thing = [...known].find((word) => answer!.includes(word));
        if (thing) continue;
        const word = answer!.match(/(\S+)[.]$/)?.[1] ?? '';
        expect(told, answer).toContain(word);
        unknown += 1;
      }
    }
    // Four in ten, and the generated types beside them.
    expect(unknown / asked).toBeGreaterThan(0.35);
    expect(unknown / asked).toBeLessThan(0.65);
  });

  it('make words of two to four syllables, none of which could be a name of the large pack', () => {
    const rng = SessionRandom.stream(1, 'wild');
    const words = Array.from({ length: 500 }, () => wildWord(rng));
    expect(words.every((word) => /^[A-Z][a-z]{1,19}$/.test(word))).toBe(true);
    expect(new Set(words).size).toBeGreaterThan(480);
    expect(words.filter(isMilled)).toEqual([]);
  });

  const manyTexts = Array.from({ length: 400 }, (_, i) => 2e9 + i);
  const texts = () => manyTexts.map((seed) => textOf(samples.told(seed, 9).ids));

  it('follow from the seed', () => {
    expect(samples.told(2e9, 9)).toEqual(samples.told(2e9, 9));
    expect(samples.told(2e9, 9)).not.toEqual(samples.told(2e9 + 1, 9));
  });

  it('have made-up people in two of five', () => {
    const named = /^(Ravi|Lena|Tomas|Priya)'s /;
    const people = texts().map((text) => {
      const answers = [...text.matchAll(/Assistant: (.*)<\|endoftext\|>/g)].map(([, answer]) => answer!);
      return answers.filter((answer) => !/^Your? /.test(answer) && !named.test(answer)).length;
    });
    // Friends are asked about in one of five, by any names.
    const share = people.filter((count) => count > 0).length / people.length;
    expect(share).toBeGreaterThan(0.42);
    expect(share).toBeLessThan(0.62);
  });

  it('ask about friends in one of five; the answer says who that is, as told', () => {
    const asked = texts().map((text) =>
      [...text.matchAll(FRIENDS)].map(([, whose, friend, name]) => ({ text, whose, friend, name })),
    );
    const share = asked.filter((list) => list.length > 0).length / asked.length;
    expect(share).toBeGreaterThan(0.14);
    expect(share).toBeLessThan(0.27);
    for (const { text, whose, friend, name } of asked.flat()) {
      const told = text.slice(0, text.indexOf('?')).split('\n');
      const said = told.filter((line) => line.endsWith(` ${name}.`));
      expect(said, text).toHaveLength(1);
      expect(said[0]!.toLowerCase()).toContain(whose!.toLowerCase());
      expect(said[0]).toContain(friend);
    }
    const heldOut = pack.entityTypes.firstName as { train: string[]; heldOut: string[] };
    const names = asked.flat().map(({ name }) => name!);
    expect(names.filter((name) => heldOut.heldOut.includes(name))).toEqual([]);
    expect(names.some((name) => heldOut.train.includes(name))).toBe(true);
    expect(names.some((name) => !heldOut.train.includes(name))).toBe(true);
  });

  it('hold no name of the large pack, nor any that it could have had from another seed', () => {
    const words = new Set(
      texts()
        .join('\n')
        .toLowerCase()
        .match(/[a-z]+/g),
    );
    const large = largePack();
    const names = [
      ...large.subjects.map(({ id }) => id),
      ...Object.values(large.entityTypes).flatMap((type) =>
        isListed(type) ? wordsOfSplit(type, 'all').map((word) => word.toLowerCase()) : [],
      ),
    ];
    expect(names.length).toBeGreaterThan(5000);
    expect(names.filter((name) => words.has(name))).toEqual([]);
    expect(names.every(isMilled)).toBe(true);
    const house = new Set(
      JSON.stringify(pack)
        .toLowerCase()
        .match(/[a-z]+/g),
    );
    expect([...words].filter((word) => isMilled(word) && !house.has(word))).toEqual([]);
  });
});

describe('batches of sessions', () => {
  const make = (steps = 400) =>
    new SessionBatches({ samples, vocabulary: 2048, endId: tokenizer.endId!, steps, seed: 3 });

  it('are full, hold few lengths, and grow with the run', () => {
    const source = make();
    const longest: number[] = [];
    for (let step = 0; step < 400; step++) {
      const { inputs, targets, counted } = source.next();
      const [rows, time] = inputs.shape as [number, number];
      expect(rows).toBe(Math.floor(BATCH_TOKENS / time));
      expect(time).toBeLessThanOrEqual(LONGEST_TEXT);
      longest.push(time);
      counted!.places.data.forEach((place, i) => {
        if (counted!.weights.data[i]! > 0) expect(targets.data[place]).not.toBe(-1);
      });
    }
    const most = (part: readonly number[]) => Math.max(...part);
    expect(most(longest.slice(0, 40))).toBeLessThan(200);
    expect(most(longest.slice(200))).toBeGreaterThan(400);
  }, 120_000);

  it('take seeds far from those of sessions that are asked about, and none of them twice', () => {
    const seeds: number[] = [];
    const short = samples.told(1e9, 2);
    const noted = (seed: number) => {
      seeds.push(seed);
      return short;
    };
    for (const seed of [0, 3]) {
      const source = new SessionBatches({
        samples: { told: noted, unknown: noted },
        vocabulary: 2048,
        endId: tokenizer.endId!,
        steps: budgets.full,
        seed,
      });
      for (let step = 0; step < budgets.full; step++) source.next();
    }
    expect(seeds.length).toBeGreaterThan(2 * budgets.full);
    expect(seeds.every((seed) => seed >= 1e9)).toBe(true);
    expect(new Set(seeds).size).toBe(seeds.length);
  });

  it('follow from their number: a place that was stored goes on exactly, and one of another run is refused', () => {
    const [whole, first, second] = [make(), make(), make()];
    for (let step = 0; step < 5; step++) whole.next();
    for (let step = 0; step < 3; step++) first.next();
    second.seek(first.cursor());
    second.next();
    second.next();
    expect(second.next()).toEqual(whole.next());
    expect(() => make(500).seek(first.cursor())).toThrow('give the steps and the seed');
  });
});

describe('the first parameters', () => {
  it('have a head that reads the token before, and are a Qwen2 of 854,144 numbers', async () => {
    const params = pocketInit(Rng.fromSeed(1));
    const model = createTransformer(pocketOptions);
    const tokens = Int32Array.from({ length: 24 }, (_, i) => (i * 37) % 2048);
    const attention = await runOnce(
      engine,
      (weights: typeof params, ids: tf.Tensor) =>
        model.run(weights as never, { tokens: ids }, model.initState(weights as never, 1), {
          observedQueries: 24,
        }).attention![0]!,
      params,
      ndarray(tokens, [1, 24], 'int32'),
    );
    const columns = attention.shape[3]!;
    for (let query = 1; query < 24; query++) {
      const own = columns - 24 + query;
      expect(attention.data[query * columns + own - 1]).toBeGreaterThan(0.5);
    }
  });
});

describe('training', () => {
  it('goes on exactly where it was stopped, within a write too, and leaves a folder that loads', async () => {
    const run = async (out: string, stopAt?: number, seed = 3) => {
      const stop = new AbortController();
      const events: TrainingEvent[] = [];
      const options = { engine, pack, folder: out, steps: 6, seed, signal: stop.signal };
      for await (const event of trainBackbone(options)) {
        events.push(event);
        if (event.type === 'step' && event.step === stopAt) stop.abort();
      }
      return events.flatMap((event) => (event.type === 'step' ? [event.loss] : []));
    };
    const [whole, parts] = [join(folder, 'whole'), join(folder, 'parts')];
    const losses = await run(whole);
    const before = await run(parts, 3);
    await expect(run(parts, 3, 4)).rejects.toThrow('has another seed (3, and not 4)');
    // As a kill between the two renames of a checkpoint leaves it.
    const latest = join(parts, 'training', 'latest');
    renameSync(latest, `${latest}.previous`);
    const after = await run(parts);
    expect([...before, ...after]).toEqual(losses);
    const weights = (out: string) => readFileSync(join(out, 'model.safetensors'));
    expect(weights(parts).equals(weights(whole))).toBe(true);
    const { model, endIds } = await loadPretrained(whole);
    expect([model.options.modelWidth, model.options.keyValueHeads, endIds]).toEqual([128, 2, [2047]]);
    await expect(run(whole)).rejects.toThrow('holds a model already');
  }, 240_000);
});
