import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createEngine,
  type Engine,
  InputError,
  type NDArray,
  Rng,
  treeToRecord,
  zeros,
} from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type BatchSource,
  CharacterTokenizer,
  ContiguousLanes,
  corpusText,
  DocumentLanes,
  type Example,
  encodeCorpus,
  generateStories,
  type JsonObject,
  loadCheckpoint,
  PaddedExamples,
  RandomWindows,
  type TrainingOptions,
  train,
} from '../../src/index.js';
import { collect, endOf, stepsOf, traceOf, validationsOf } from '../support/collect.js';
import { gatedRecurrence, testModels } from '../support/gated-recurrence.js';

const corpus = generateStories({ characters: 6000 });
const tokenizer = CharacterTokenizer.fromText(corpusText(corpus));
const encoded = encodeCorpus(tokenizer, corpus);
const ids = encoded.ids;
const validation = ids.subarray(0, 400);
const model = gatedRecurrence({ vocabSize: tokenizer.vocabSize, width: 12, dropout: 0.2 });
const settings: TrainingOptions = { steps: 12, learningRate: 0.02, warmupSteps: 3, seed: 7 };
const sources: Record<string, () => BatchSource> = {
  windows: () => new RandomWindows(ids, { batch: 3, time: 8, seed: 5 }),
  lanes: () => new ContiguousLanes(ids, { batch: 3, time: 8 }),
  documents: () => new DocumentLanes(encoded, { batch: 3, time: 8, seed: 5 }),
  examples: () =>
    new PaddedExamples(
      Array.from({ length: 20 }, (_, index) => ({
        ids: ids.subarray(9 * index, 9 * index + 3 + (index % 6)),
      })),
      { batch: 3, time: 8, seed: 5, lengths: [4] },
    ),
};

const folder = mkdtempSync(join(tmpdir(), 'palimpsest-lm-train-'));
let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('cpu');
});
afterAll(async () => {
  await engine.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const hostRecord = (params: unknown) => treeToRecord<NDArray>(params);

describe('train', () => {
  it.each([
    ...Object.keys(sources).map((kind) => [kind, 'adamw', 0] as const),
    ['windows', 'schedule-free-adamw', 0] as const,
    ['lanes', 'schedule-free-radam', 0] as const,
    ['windows', 'sgd', 0.9] as const,
    ['lanes', 'adamw', 0.9] as const,
  ])(
    'resumes on %s with %s and a mean of %f exactly as if it had never stopped',
    async (kind, optimizer, ema) => {
      const make = sources[kind]!;
      const common = {
        engine,
        model,
        tokenizer,
        validation,
        settings: { ...settings, optimizer, ema, accumulate: kind === 'lanes' ? 2 : 1, validateEvery: 5 },
      };
      const whole = await collect(train({ ...common, source: make() }));
      expect(stepsOf(whole).map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);

      const place = join(folder, `${kind}-${optimizer}-${ema}`);
      const controller = new AbortController();
      const first = [];
      for await (const event of train({
        ...common,
        source: make(),
        folder: place,
        signal: controller.signal,
      })) {
        first.push(event);
        if (event.type === 'step' && event.step === 5) controller.abort();
      }
      expect(first.slice(-2).map(({ type }) => type)).toEqual(['checkpoint', 'interrupted']);

      const resume = await loadCheckpoint(place, testModels);
      expect(resume.folder).toBe(join(place, 'latest'));
      // Arrays of a mean are there or not, whatever is asked for afterwards.
      const otherwise = { optimizer: 'adamw' as const, ema: ema === 0 ? 0.5 : 0 };
      const other = train({ ...common, source: make(), resume, settings: otherwise });
      await expect(collect(other)).rejects.toThrow('which keeps other numbers; leave');
      const second = await collect(
        train({ engine, model: resume.model, validation, source: make(), resume }),
      );
      expect([...traceOf(first), ...traceOf(second)]).toEqual(traceOf(whole));
      expect(hostRecord(endOf(second).params)).toEqual(hostRecord(endOf(whole).params));
      // Step 5 was interrupted before its validation, which the resumed run makes up for.
      expect([...validationsOf(first), ...validationsOf(second)]).toEqual(validationsOf(whole));
      expect(validationsOf(whole).map(({ step }) => step)).toEqual([5, 10, 12]);
      expect(endOf(second).bestLoss).toBe(endOf(whole).bestLoss);
    },
  );

  it('learns, and reports rates, norm, tokens and telemetry', async () => {
    const source = new RandomWindows(ids, { batch: 4, time: 16, seed: 1 });
    const events = await collect(
      train({
        engine,
        model,
        source,
        validation,
        tokenizer,
        settings: { ...settings, steps: 60, validateEvery: 30 },
      }),
    );
    const steps = stepsOf(events);
    const mean = (list: typeof steps) => list.reduce((sum, { loss }) => sum + loss, 0) / list.length;
    expect(mean(steps.slice(0, 3))).toBeGreaterThan(0.95 * Math.log(tokenizer.vocabSize));
    expect(mean(steps.slice(-10))).toBeLessThan(3.2);
    // Warm-up of 3 steps to 0.02; the group of the gate's bias learns ten times as fast.
    expect(steps[0]!.rates.default).toBeCloseTo(0.02 / 3, 12);
    expect(steps[0]!.rates['^gate\\.bias$']).toBeCloseTo(0.2 / 3, 12);
    expect(steps[3]!.rates.default).toBeCloseTo(0.02, 12);
    expect(steps.at(-1)!.tokens).toBe(60 * 64);
    for (const { gradientNorm, telemetry, tokensPerSecond } of steps) {
      expect(gradientNorm).toBeGreaterThan(0);
      expect(tokensPerSecond).toBeGreaterThan(0);
      expect(telemetry.hiddenMean).toBeGreaterThan(0);
      expect(telemetry.hiddenMean).toBeLessThan(1.25);
    }
    const validations = events.flatMap((event) => (event.type === 'validation' ? [event] : []));
    expect(validations.map(({ step }) => step)).toEqual([30, 60]);
    expect(validations[1]!.result.loss).toBeLessThan(validations[0]!.result.loss);
    expect(validations[1]!.result.regime).toBe('windowed');
    expect(events[0]).toMatchObject({
      type: 'start',
      model: 'gated-recurrence',
      stateBytes: 52,
      engine: 'cpu',
    });
  });

  it('reports the norm before clipping, and clips', async () => {
    const source = () => new RandomWindows(ids, { batch: 2, time: 8, seed: 2 });
    const run = async (clip: number) =>
      collect(
        train({ engine, model, source: source(), settings: { ...settings, steps: 2, weightDecay: 0, clip } }),
      );
    const [free, tight] = [await run(0), await run(1e-12)];
    expect(stepsOf(tight)[0]!.gradientNorm).toBe(stepsOf(free)[0]!.gradientNorm);
    // AdamW is blind to the scale of gradients but for epsilon, which such small ones drown in.
    const start = hostRecord(model.init(Rng.fromSeed(7)))['value.weight']!.data;
    const moved = (events: typeof free) =>
      Math.max(
        ...[...hostRecord(endOf(events).params)['value.weight']!.data].map((value, i) =>
          Math.abs(value - start[i]!),
        ),
      );
    expect(moved(free)).toBeGreaterThan(5e-3);
    expect(moved(tight)).toBeLessThan(1e-4);
  });

  it('averages accumulated gradients: two batches of half the size are one batch', async () => {
    const rows = new RandomWindows(ids, { batch: 4, time: 8, seed: 3 });
    const batches = Array.from({ length: 3 }, () => rows.next());
    const replay = (parts: number): BatchSource => {
      const queue = batches.flatMap((batch) =>
        Array.from({ length: parts }, (_, part) => slice(batch, part, parts)),
      );
      return {
        batch: 4 / parts,
        time: 8,
        carriesState: false,
        hasIgnoredTargets: false,
        next: () => queue.shift()!,
        cursor: () => ({}),
        seek: () => {},
      };
    };
    const plain = gatedRecurrence({ vocabSize: tokenizer.vocabSize, width: 12, dropout: 0 });
    const run = (parts: number) =>
      collect(
        train({
          engine,
          model: plain,
          source: replay(parts),
          settings: { ...settings, steps: 3, accumulate: parts },
        }),
      );
    const [one, two] = [await run(1), await run(2)];
    const [a, b] = [hostRecord(endOf(one).params), hostRecord(endOf(two).params)];
    for (const path of Object.keys(a)) {
      a[path]!.data.forEach((value, index) => {
        expect(Math.abs(value - b[path]!.data[index]!)).toBeLessThan(2e-5);
      });
    }
    stepsOf(one).forEach(({ loss }, index) => {
      expect(Math.abs(loss - stepsOf(two)[index]!.loss)).toBeLessThan(1e-5);
    });
  });

  it('carries the memory through lanes and begins afresh where a lane is reset', async () => {
    // With a frozen model (rate 0) the loss of each batch is that of a pass with or without the memory.
    const still = { ...settings, steps: 3, learningRate: 0 };
    const plain = gatedRecurrence({ vocabSize: tokenizer.vocabSize, width: 12, dropout: 0 });
    const losses = async (source: BatchSource) =>
      stepsOf(await collect(train({ engine, model: plain, source, settings: still }))).map(
        ({ loss }) => loss,
      );
    const resetsOf = (resets: number[]): BatchSource => {
      const lanes = new ContiguousLanes(ids, { batch: 1, time: 8 });
      return {
        batch: 1,
        time: 8,
        carriesState: true,
        hasIgnoredTargets: false,
        next: () => ({
          ...lanes.next(),
          resets: { data: Int32Array.of(resets.shift()!), shape: [1], dtype: 'int32' },
        }),
        cursor: () => ({}),
        seek: () => {},
      };
    };
    const carried = await losses(resetsOf([1, 0, 0]));
    const reset = await losses(resetsOf([1, 0, 1]));
    const windows = new ContiguousLanes(ids, { batch: 1, time: 8 });
    const fresh = await losses({
      ...resetsOf([]),
      carriesState: false,
      next: () => windows.next(),
    });
    expect(carried.slice(0, 2)).toEqual(reset.slice(0, 2));
    expect(reset[0]).toBe(fresh[0]);
    expect(reset[2]).toBe(fresh[2]);
    expect(carried[1]).not.toBe(fresh[1]);
    expect(carried[2]).not.toBe(reset[2]);
  });

  it('leaves padding out of the loss', async () => {
    const plain = gatedRecurrence({ vocabSize: tokenizer.vocabSize, width: 12, dropout: 0 });
    const short = { ids: ids.subarray(0, 6), documentStarts: [0] };
    const padded = new DocumentLanes(short, { batch: 1, time: 8 });
    const exact = new RandomWindows(ids.subarray(0, 6), { batch: 1, time: 5 });
    const first = async (source: BatchSource) =>
      stepsOf(
        await collect(train({ engine, model: plain, source, settings: { ...settings, steps: 1 } })),
      )[0]!;
    const [a, b] = [await first(padded), await first(exact)];
    expect(a.loss).toBeCloseTo(b.loss, 6);
    expect(a.gradientNorm).toBeCloseTo(b.gradientNorm, 5);
    expect([a.tokens, b.tokens]).toEqual([5, 5]);
  });

  it('learns the same from padded examples as from the learnt tokens of each alone', async () => {
    const plain = gatedRecurrence({ vocabSize: tokenizer.vocabSize, width: 12, dropout: 0 });
    const first = async (source: BatchSource) =>
      stepsOf(
        await collect(train({ engine, model: plain, source, settings: { ...settings, steps: 1 } })),
      )[0]!;
    const question = { ids: ids.subarray(0, 5), learnt: [0, 0, 0, 1, 1] };
    const text = { ids: ids.subarray(10, 17) };
    const of = (examples: Example[], batch: number, time: number) =>
      first(new PaddedExamples(examples, { batch, time, paddingId: 3 }));
    const together = await of([question, text], 3, 9);
    const [alone, other] = [await of([question], 1, 4), await of([text], 1, 6)];
    expect([together.tokens, alone.tokens, other.tokens]).toEqual([8, 2, 6]);
    expect(together.loss).toBeCloseTo((2 * alone.loss + 6 * other.loss) / 8, 5);
    const exact = await first(new RandomWindows(ids.subarray(10, 17), { batch: 1, time: 6 }));
    expect(other.loss).toBeCloseTo(exact.loss, 6);
    expect(other.gradientNorm).toBeCloseTo(exact.gradientNorm, 5);
  });

  it('keeps the best checkpoint apart from the latest, and takes samples', async () => {
    const place = join(folder, 'best');
    const source = sources.windows!();
    const options = {
      ...settings,
      steps: 8,
      learningRate: 0.5,
      clip: 0,
      validateEvery: 2,
      sampleEvery: 4,
      sampleTokens: 5,
      samplePrompt: 'A',
      checkpointEvery: 3,
    };
    const events = await collect(
      train({ engine, model, source, validation, tokenizer, folder: place, settings: options }),
    );
    const validations = events.flatMap((event) => (event.type === 'validation' ? [event] : []));
    const best = Math.min(...validations.map(({ result }) => result.loss));
    expect(endOf(events).bestLoss).toBe(best);
    const saved = events.flatMap((event) =>
      event.type === 'checkpoint' ? [`${event.kind} ${event.step}`] : [],
    );
    const improving = validations.filter(({ isBest }) => isBest).map(({ step }) => `best ${step}`);
    expect(saved.filter((name) => name.startsWith('best'))).toEqual(improving);
    expect(saved.filter((name) => name.startsWith('latest'))).toEqual([
      // Before the first step, before the first validation, every third step, at the end.
      'latest 0',
      'latest 2',
      'latest 3',
      'latest 6',
      'latest 8',
    ]);
    const samples = events.flatMap((event) => (event.type === 'sample' ? [event] : []));
    expect(samples.map(({ step, text }) => [step, text.length])).toEqual([
      [4, 5],
      [8, 5],
    ]);
    const loaded = await loadCheckpoint(join(place, 'best'), testModels);
    expect(loaded.training!.progress.bestLoss).toBe(best);
    expect(loaded.tokenizer!.vocabSize).toBe(tokenizer.vocabSize);
  });

  it('saves by time too', async () => {
    const options = { ...settings, steps: 3, checkpointSeconds: 1e-6 };
    const place = join(folder, 'time');
    const events = await collect(
      train({ engine, model, source: sources.windows!(), folder: place, settings: options }),
    );
    const saved = events.flatMap((event) => (event.type === 'checkpoint' ? [event.step] : []));
    expect(saved).toEqual([0, 1, 2, 3]);
  });

  it('writes nothing that is not finite', async () => {
    const place = join(folder, 'finite');
    const common = { engine, model, source: sources.windows!(), folder: place };
    await collect(train({ ...common, settings: { ...settings, steps: 1 } }));
    const resume = await loadCheckpoint(place, testModels);
    // The loss of the step is finite; what its update makes of the parameters is not.
    const bad = { ...settings, steps: 2, learningRate: 3e38, warmupSteps: 0, clip: 0, checkpointEvery: 1 };
    await expect(
      collect(train({ ...common, source: sources.windows!(), resume, settings: bad })),
    ).rejects.toThrow(/diverged in step 2: params\.\S+ is no longer finite; .* stay/);
    const kept = await loadCheckpoint(place, testModels);
    expect(hostRecord(kept.params)).toEqual(hostRecord(resume.params));
  });

  it('goes on only with the arrays of its optimiser and of its memory', async () => {
    const place = join(folder, 'arrays');
    const make = () => new ContiguousLanes(ids, { batch: 2, time: 4 });
    await collect(
      train({ engine, model, source: make(), folder: place, settings: { ...settings, steps: 1 } }),
    );
    const resume = await loadCheckpoint(place, testModels);
    const { progress, optimizer, memory } = resume.training!;
    const { first, ...rest } = optimizer as { first: unknown };
    const goOn = (changed: object) =>
      collect(
        train({
          engine,
          model,
          source: make(),
          resume: { ...resume, training: { progress, optimizer, memory, ...changed } },
          settings: { steps: 2 },
        }),
      );
    await goOn({});
    for (const [changed, message] of [
      [{ optimizer: rest }, /arrays.* is torn: optimizer\.safetensors lacks 'first\..* as 'adamw' keeps it/],
      [{ memory: undefined }, /arrays.* is torn: memory\.safetensors is missing, as the memory of 2 texts/],
      [
        { memory: { hidden: zeros([1, 6]) } },
        /memory\.safetensors has 'hidden' as float32 of shape \[1, 6\]/,
      ],
      [{ memory: {} }, /memory\.safetensors lacks 'hidden'/],
    ] as const) {
      const refused = goOn(changed);
      await expect(refused).rejects.toThrow(InputError);
      await expect(refused).rejects.toThrow(message);
    }
    expect(first).toBeDefined();
    const { learningRate: _, ...withoutRate } = progress.settings as JsonObject;
    const { optimizer: _o, checkpointSeconds: _c, ...ofFirstRuns } = progress.settings as JsonObject;
    await goOn({ progress: { ...progress, settings: ofFirstRuns } });
    for (const [changed, message] of [
      [{ step: 0.5 }, /arrays.* cannot be resumed/],
      [{ rng: [0, 0, 0, 0] }, /arrays.* is torn: training\.json has an 'rng'/],
      [{ settings: { steps: -1 } }, /training\.json has 'settings' that cannot be/],
      [{ settings: {} }, /'settings' that cannot be \(Training setting 'steps' is missing\.\)/],
      [
        { settings: withoutRate },
        /'settings' that cannot be \(Training setting 'learningRate' is missing\.\)/,
      ],
      [{ cursor: { kind: 'contiguous-lanes', position: -1 } }, /training\.json has a 'cursor'/],
      [{ cursor: { kind: 'contiguous-lanes', position: 0.5 } }, /training\.json has a 'cursor'/],
    ] as const) {
      const refused = goOn({ progress: { ...progress, ...changed } });
      await expect(refused).rejects.toThrow(InputError);
      await expect(refused).rejects.toThrow(message);
    }
  });

  it.each(Object.entries(sources))('finds no place in %s where a file names none', (_kind, make) => {
    const source = make();
    const good = source.cursor();
    for (const key of Object.keys(good)) {
      for (const wrong of [-1, 0.5, 1e9, null, 'x', [], {}, [[-1, 0]], undefined]) {
        const seek = () => make().seek({ ...good, [key]: wrong });
        expect(seek, `${key}: ${JSON.stringify(wrong)}`).toThrow(InputError);
      }
    }
    expect(() => source.seek(good)).not.toThrow();
  });

  it('holds as many arrays after 100 steps as after one', async () => {
    const local = await createEngine('cpu');
    const source = new ContiguousLanes(ids, { batch: 2, time: 4 });
    const counts: number[] = [];
    const bytes: number[] = [];
    const options = { ...settings, steps: 101, sampleEvery: 25, sampleTokens: 3, validateEvery: 25 };
    for await (const event of train({
      engine: local,
      model,
      source,
      tokenizer,
      validation: ids.subarray(0, 40),
      settings: options,
    })) {
      if (event.type !== 'step') continue;
      counts.push(local.memory().arrays);
      bytes.push(local.memory().bytes);
    }
    // Parameters, two moments of each, a counter, and the two arrays of the memory; from the first sample on another memory.
    const trained = 3 * 7 + 1 + 2;
    expect(new Set(counts.slice(0, 25))).toEqual(new Set([trained]));
    expect(new Set(counts.slice(25))).toEqual(new Set([trained + 2]));
    expect(new Set(bytes.slice(25)).size).toBe(1);
    expect(local.memory()).toEqual({ arrays: 0, bytes: 0, graphs: 0, graphBytes: 0 });
    await local.dispose();
  });

  it('says when training diverges, and refuses what does not fit', async () => {
    const params = model.init(Rng.fromSeed(0));
    params.embedding.data[0] = Number.NaN;
    const source = new RandomWindows(new Int32Array(20), { batch: 1, time: 4 });
    await expect(collect(train({ engine, model, source, params, settings }))).rejects.toThrow(
      'diverged in step 1: its loss is NaN',
    );
    expect(engine.memory().arrays).toBe(0);
    const wrong = { stepz: 3 } as TrainingOptions;
    await expect(collect(train({ engine, model, source, settings: wrong }))).rejects.toThrow('stepz');
    await expect(collect(train({ engine, model, source, settings: { clip: -1 } }))).rejects.toThrow("'clip'");
  });

  it('gives the engine everything back when nobody listens any more', async () => {
    for await (const event of train({ engine, model, source: sources.lanes!(), settings })) {
      if (event.type === 'step') break;
    }
    expect(engine.memory().arrays).toBe(0);
  });
});

function slice(batch: ReturnType<BatchSource['next']>, part: number, parts: number) {
  const take = (array: NDArray<'int32'>): NDArray<'int32'> => {
    const size = array.data.length / parts;
    const shape = [array.shape[0]! / parts, ...array.shape.slice(1)];
    return { data: array.data.slice(part * size, (part + 1) * size), shape, dtype: 'int32' };
  };
  return { inputs: take(batch.inputs), targets: take(batch.targets), resets: take(batch.resets) };
}
