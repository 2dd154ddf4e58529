import { createEngine, Rng } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import {
  type AblationCell,
  ablate,
  ablationMarkdown,
  associativeRecall,
  CharacterVocabulary,
  comparisonVariants,
  createOsamModel,
  evaluateOsam,
  evaluationMarkdown,
  fit,
  improvementAblations,
  type RetrievalTask,
  randomNeedle,
  referenceAblations,
  resolveConfig,
  scoreTask,
  selectiveCopy,
  splitHeldOut,
  TaskSource,
  WindowLoader,
} from '../src/index.js';

const text = 'the quick brown fox jumps over the lazy dog; '.repeat(40);
const tiny = { dModel: 8, sketchDim: 16, readoutHidden: 6 };

describe('retrieval tasks', () => {
  const first = (task: RetrievalTask) => task.example(Rng.fromSeed(11));

  it('recall: every asked key is followed by the value of its pair', () => {
    const task = associativeRecall({ pairs: 5 });
    for (let seed = 0; seed < 20; seed++) {
      const { inputs, targets } = task.example(Rng.fromSeed(seed));
      const pairs = new Map<number, number>();
      for (let i = 0; i < 10; i += 2) pairs.set(inputs[i]!, inputs[i + 1]!);
      expect(pairs.size).toBe(5);
      const asked: number[] = [];
      for (let i = 10; i < 19; i += 2) {
        expect(targets[i]).toBe(pairs.get(inputs[i]!));
        asked.push(inputs[i]!);
      }
      expect(new Set(asked).size).toBe(5);
      expect(targets.filter((target) => target >= 0).length).toBe(5);
    }
    expect(() => associativeRecall({ pairs: 17 })).toThrow('17 pairs');
  });

  it('needle: the payload stands behind the marker at the depth that its slice names', () => {
    const task = randomNeedle({ length: 40, payload: 3, depths: 4 });
    const slices = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      const { inputs, targets, slice } = task.example(Rng.fromSeed(seed));
      const marker = task.vocabSize - 1;
      const start = inputs.indexOf(marker);
      expect(inputs.lastIndexOf(marker)).toBe(40);
      expect([...targets.slice(40)]).toEqual([...inputs.slice(start + 1, start + 4)]);
      const [from, to] = slice.match(/\d+/g)!.map(Number) as [number, number];
      expect(36 - start).toBeGreaterThanOrEqual(from);
      expect(36 - start).toBeLessThanOrEqual(to);
      slices.add(slice);
    }
    expect(slices.size).toBe(4);
  });

  it('selective copy: the scattered tokens come back in order', () => {
    const { inputs, targets } = first(selectiveCopy({ count: 6, length: 20 }));
    const content = [...inputs.slice(0, 20)].filter((token) => token < 16);
    expect([...targets.slice(20)]).toEqual(content);
    expect([...inputs.slice(21)]).toEqual(content.slice(0, 5));
    expect(targets.slice(0, 20).every((target) => target === -1)).toBe(true);
  });

  it('streams go on at a stored place', () => {
    const source = new TaskSource(associativeRecall(), 3, 5);
    source.next();
    const place = JSON.parse(JSON.stringify(source.cursor()));
    const expected = source.next();
    source.next();
    source.seek(place);
    expect(source.next().inputs.data).toEqual(expected.inputs.data);
  });

  it('score by slice: an untrained model guesses', async () => {
    const engine = await createEngine('cpu');
    const task = randomNeedle({ length: 12, payload: 1, depths: 2 });
    const model = createOsamModel({ vocabSize: task.vocabSize, ...tiny });
    const { params } = await fit(engine, model, new TaskSource(task, 2, 1), { steps: 1 });
    const score = await scoreTask(engine, model, params, task, { batches: 2, batch: 32 });
    expect(score.answers).toBe(64);
    expect(score.slices.map(({ name }) => name)).toEqual(['depth 1-5', 'depth 6-10']);
    expect(score.accuracy).toBeLessThan(0.4);
  });
});

describe('the evaluation suite', async () => {
  const engine = await createEngine('cpu');
  const vocabulary = CharacterVocabulary.of(text);
  const ids = vocabulary.encode(text);
  const model = createOsamModel({ vocabSize: vocabulary.size, ...tiny });
  const loader = () => new WindowLoader(splitHeldOut(ids).train, { batchSize: 4, seqLen: 12, seed: 1 });

  it('reports both regimes, their consistency and the speed', async () => {
    const { params, losses } = await fit(engine, model, loader().source(), { steps: 20 });
    expect(losses[19]).toBeLessThan(losses[0]!);
    const report = await evaluateOsam(engine, model, params, text, vocabulary.characters, {
      seqLen: 12,
      seed: 1,
      speed: { batchSize: 2, seqLen: 8, contexts: [4, 16], repeats: 1, decodeRepeats: 3 },
    });
    for (const regime of [report.windowed, report.streaming]) {
      expect(regime.perplexity).toBeCloseTo(Math.exp(regime.loss), 6);
      expect(regime.bitsPerCharacter).toBeCloseTo(regime.loss / Math.LN2, 6);
      expect(regime.tokens).toBe(179);
      expect(regime.loss).toBeLessThan(Math.log(vocabulary.size) + 1);
    }
    expect(report.streaming.buckets.map(({ from }) => from)).toEqual([0, 128]);
    expect(report.speed!.decode.map(({ context }) => context)).toEqual([4, 16]);
    expect(report.speed!.trainTokensPerSecond).toBeGreaterThan(0);
    const page = evaluationMarkdown(report);
    expect(page).toContain(`| one stream | ${report.streaming.loss.toFixed(4)} |`);
    expect(JSON.parse(JSON.stringify(report)).config.dModel).toBe(8);
  });

  it('ablates over seeds, resumes from finished cells and compares with the first variant', async () => {
    const saved = new Map<string, AblationCell>();
    const trained: string[] = [];
    const run = () =>
      ablate(engine, {
        variants: comparisonVariants.slice(0, 2),
        seeds: [1, 2, 3],
        base: { vocabSize: vocabulary.size, ...tiny },
        training: { steps: 2 },
        source: (seed, corrupt) =>
          new WindowLoader(ids, {
            batchSize: 2,
            seqLen: 8,
            seed,
            corrupt,
            vocabSize: vocabulary.size,
          }).source(),
        measure: async (built, _params, seed) => ({ size: built.vocabSize + seed }),
        store: {
          load: async (key) => saved.get(key),
          save: async (key, cell) => {
            saved.set(key, cell);
            trained.push(`${cell.variant} ${cell.seed}`);
          },
        },
      });
    const report = await run();
    expect(trained).toEqual([
      'no memory 1',
      'no memory 2',
      'no memory 3',
      'reference 1',
      'reference 2',
      'reference 3',
    ]);
    expect(report.rows[1]!.figures.size).toMatchObject({
      mean: vocabulary.size + 2,
      deviation: 1,
      difference: 0,
    });
    saved.delete([...saved.keys()][4]!);
    const again = await run();
    expect(trained.length).toBe(7);
    expect(trained[6]).toBe('reference 2');
    expect(again.rows[1]!.figures).toEqual(report.rows[1]!.figures);
    expect(ablationMarkdown(report).split('\n').length).toBe(5);
    await expect(
      ablate(engine, { variants: [], seeds: [1], base: { vocabSize: 2 }, training: { steps: 1 } } as never),
    ).rejects.toThrow('at least 3 seeds');
  });

  it('offers variants that are valid configurations', () => {
    const names = new Set<string>();
    for (const list of [comparisonVariants, referenceAblations, improvementAblations]) {
      for (const { name, options } of list) {
        expect(() => resolveConfig({ vocabSize: 9, ...tiny, ...options })).not.toThrow();
        names.add(name);
      }
    }
    expect(names.size).toBeGreaterThan(20);
  });
});
