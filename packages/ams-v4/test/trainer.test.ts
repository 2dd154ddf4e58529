import { type NDArray, Rng, treeToRecord } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { MemLLM4, presets, Trainer4, trainAdapters } from '../src/index.js';
import { jaccard, topicTriplets } from '../src/losses/bundle-axis-alignment.js';
import { trainingSentences } from '../src/training/corpus.js';
import { withEngine } from './support/engine.js';
import { sentences, tinyModel } from './support/tiny-model.js';

const engine = withEngine();

describe('the trainer', () => {
  it('reports five finite losses that change, moves what they reach, and leaves the rest and the model alone', async () => {
    const memory = new MemLLM4(tinyModel(), { engine: engine(), memory: presets.reference, seed: 3 });
    const before = treeToRecord<NDArray>(memory.adapters);
    const frozen = structuredClone(tinyModel().params.tokenEmbedding.data);
    const trainer = new Trainer4(memory);
    const reports = [];
    for (let step = 0; step < 3; step++)
      reports.push(await trainer.step(sentences.slice(3 * step, 3 * step + 3)));
    for (const { components } of reports) {
      expect(Object.keys(components).sort()).toEqual(
        [
          'bundleAxisAlignment',
          'crossBundleIndependence',
          'prefixSemanticAnchor',
          'recon',
          'writePolicy',
        ].sort(),
      );
      expect(components.prefixSemanticAnchor).toBeGreaterThan(0);
      for (const value of Object.values(components)) expect(value).toBeGreaterThanOrEqual(0);
    }
    expect(Math.abs(reports[0]!.total - reports[1]!.total)).toBeGreaterThan(1e-6);
    const after = treeToRecord<NDArray>(memory.adapters);
    const moved = (name: string) => before[name]!.data.some((value, i) => value !== after[name]!.data[i]);
    for (const name of [
      'cross_attn.lift_time.0.weight',
      'bundle_time._axis_raw',
      'bundle_topic.encoder.fiber_mlp.0.weight',
    ])
      expect(moved(name)).toBe(true);
    for (const name of [
      'bundle_time.metric.net.0.weight',
      'bundle_ctx.encoder.q_proj.weight',
      'bundle_topic._axis_raw',
    ])
      expect(moved(name)).toBe(false);
    expect(await memory.text.weights.tokenEmbedding.data()).toEqual(frozen);
    await trainer.dispose();
    await memory.dispose();
  });

  it('goes through its sentences in windows, and stops when it is told to', async () => {
    const memory = new MemLLM4(tinyModel(), { engine: engine(), seed: 3 });
    const stop = new AbortController();
    const steps: number[] = [];
    const trained = await trainAdapters(memory, {
      steps: 5,
      signal: stop.signal,
      onStep: (step) => {
        steps.push(step);
        if (step === 1) stop.abort();
      },
    });
    expect([trained.steps, steps]).toEqual([2, [0, 1]]);
    expect(trained.postProbe.liftTime).not.toBe(trained.preProbe.liftTime);
    expect(trainingSentences).toHaveLength(12);
    await memory.dispose();
  });
});

describe('adapters that are set between two steps', () => {
  it('are what the next step begins with', async () => {
    const memory = new MemLLM4(tinyModel(), { engine: engine(), seed: 3 });
    const first = memory.adapters;
    const trainer = new Trainer4(memory);
    const texts = sentences.slice(0, 3);
    const { total } = await trainer.step(texts);
    expect((await trainer.step(texts)).total).not.toBe(total);
    memory.setAdapters(first);
    expect((await trainer.step(texts)).total).toBe(total);
    // What the memory writes with is what was trained.
    const trained = memory.adapters;
    await memory.write(texts[0]!);
    const other = new MemLLM4(tinyModel(), { engine: engine(), adapters: trained });
    await other.write(texts[0]!);
    expect(memory.store.get(0)!.topicFiber).toEqual(other.store.get(0)!.topicFiber);
    await trainer.dispose();
    await memory.dispose();
    await other.dispose();
  });
});

describe('topic triplets', () => {
  const similar = jaccard([[1001, 1002], [1001, 1003], [2000], [3, 4], [5]]);

  it('count ids from 1000 on, and texts without any as alike', () => {
    const of = (a: number, b: number) => similar.data[a * 5 + b]!;
    expect([of(0, 1), of(0, 2), of(3, 4), of(3, 0)]).toEqual([Math.fround(1 / 3), 0, 1, 0]);
  });

  it('have the row itself as negative in the published form, and another row in ours', () => {
    const published = topicTriplets(similar, 'reference');
    expect([...published.negatives.data]).toEqual([...published.anchors.data]);
    const { anchors, positives, negatives } = topicTriplets(similar, 'fixed');
    expect([...anchors.data]).toEqual([0, 1, 3, 4]);
    expect([...positives.data]).toEqual([1, 0, 4, 3]);
    for (const [i, row] of anchors.data.entries()) expect(negatives.data[i]).not.toBe(row);
  });

  it('are none when nothing is shared', () => {
    expect(topicTriplets(jaccard([[1001], [1002], [1003]]), 'fixed').anchors.shape).toEqual([0]);
  });
});

describe('batches with nothing to compare', () => {
  it('train all the same: texts that share no token, one text, and a text that is too short for halves', async () => {
    const memory = new MemLLM4(tinyModel(), { engine: engine(), seed: Rng.fromSeed(1).int(9) });
    const trainer = new Trainer4(memory);
    for (const texts of [['abcdef', 'ghijkl', 'mnopqr'], ['one text alone'], ['ab']]) {
      expect(Number.isFinite((await trainer.step(texts)).total)).toBe(true);
    }
    expect((await trainer.step(['ab'])).components.prefixSemanticAnchor).toBe(0);
    await expect(trainer.step([])).rejects.toThrow('at least one text');
    await trainer.dispose();
    await memory.dispose();
  });
});
