import { type NDArray, Rng, treeLeaves } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import {
  CharacterVocabulary,
  chooseForm,
  createOsamModel,
  drawId,
  externalCorpus,
  fromReferenceTensors,
  greedyId,
  type OsamParams,
  parameterCount,
  presets,
  resolveConfig,
  samplingProbabilities,
  tablesFromReference,
  toReferenceTensors,
  WindowLoader,
} from '../src/index.js';

describe('configuration', () => {
  it('takes defaults from the mode and lets every option be overridden', () => {
    expect(resolveConfig({ vocabSize: 5 })).toMatchObject({
      gradientFlow: 'full',
      gateCapFeat: 1,
      dModel: 64,
      sketchDim: 2048,
    });
    expect(presets.reference({ vocabSize: 5, gateCapVal: 0.5 })).toMatchObject({
      gradientFlow: 'detached',
      gateCapFeat: 0.25,
      gateCapVal: 0.5,
      keyMix: false,
    });
  });

  it.each([
    [{ vocabSize: 5, dmodel: 3 }, "no option 'dmodel'"],
    [{ vocabSize: 0 }, "'vocabSize' is wrong"],
    [{ vocabSize: 5, dropout: 1 }, "'dropout' is wrong"],
    [{ vocabSize: 5, dModel: 10, heads: 3 }, 'cannot be split over 3 heads'],
    [{ vocabSize: 5, heads: 2, valueKernel: 'sketched' }, "valueKernel 'exact'"],
    [{ vocabSize: 5, heads: 2, headDecays: [1] }, '1 factors for 2 heads'],
    [{ vocabSize: 5, form: 'bilinear' }, "use 'pairs' or 'dft'"],
    [{ vocabSize: 5, valueOnlyBlocks: [1] }, 'names block 1'],
  ])('refuses %j', (options, message) => {
    expect(() => resolveConfig(options as never)).toThrow(message);
  });

  it('picks the form by what the engine is good at', () => {
    const formOf = (dModel: number, sketchDim: number, target: 'native' | 'matmul') => {
      const model = createOsamModel({ vocabSize: 2, dModel, sketchDim, target, mode: 'parity' });
      return chooseForm(model.options, model.plans[0]!);
    };
    expect(formOf(64, 2048, 'native')).toBe('pairs');
    expect(formOf(512, 1024, 'native')).toBe('fft');
    expect(formOf(64, 2048, 'matmul')).toBe('bilinear');
    expect(formOf(64, 256, 'matmul')).toBe('dft');
  });
});

describe('parameters', () => {
  it('count as the formula says, and as the arrays are', () => {
    expect(parameterCount(presets.reference({ vocabSize: 17 }))).toBe(293_573);
    const all = [
      presets.reference({ vocabSize: 17, dModel: 10, sketchDim: 30 }),
      presets.improved({ vocabSize: 17, dModel: 10, sketchDim: 30, featurePath: false }),
      presets.text({ vocabSize: 65 }),
      resolveConfig({
        vocabSize: 9,
        layers: 2,
        dModel: 8,
        sketchDim: 16,
        mlpRatio: 2,
        mlpKind: 'gelu',
        tieEmbeddings: true,
      }),
    ];
    for (const config of all) {
      const leaves = treeLeaves<NDArray>(createOsamModel(config).init(Rng.fromSeed(0)));
      expect(leaves.reduce((sum, { leaf }) => sum + leaf.data.length, 0)).toBe(parameterCount(config));
    }
  });

  it('start as the reference starts: orthogonal projections, nearly shut gates', () => {
    const { blocks } = createOsamModel(presets.reference({ vocabSize: 5, dModel: 6, sketchDim: 16 })).init(
      Rng.fromSeed(3),
    ) as OsamParams<NDArray>;
    const { data } = blocks[0]!.key.weight;
    for (let a = 0; a < 6; a++) {
      for (let b = 0; b < 6; b++) {
        let dot = 0;
        for (let i = 0; i < 6; i++) dot += data[a * 6 + i]! * data[b * 6 + i]!;
        expect(dot).toBeCloseTo(a === b ? 1 : 0, 5);
      }
    }
    expect(0.25 / (1 + Math.exp(-blocks[0]!.gateFeature.data[0]!))).toBeCloseTo(0.019, 3);
    const hidden = blocks[0]!.readout!.hidden.weight.data;
    expect(Math.max(...hidden.map(Math.abs))).toBeLessThanOrEqual(0.25);
  });

  it('go to the names of the reference and back, tables included', () => {
    for (const options of [
      presets.reference({ vocabSize: 5, dModel: 6, sketchDim: 16 }),
      presets.text({ vocabSize: 5, dModel: 16, heads: 4, layers: 2 }),
    ]) {
      const model = createOsamModel(options);
      const params = model.init(Rng.fromSeed(1)) as OsamParams<NDArray>;
      const named = toReferenceTensors(
        params,
        model.options,
        model.plans.map(({ tables }) => tables),
      );
      const prefix = options.layers === 1 ? 'osam' : 'blocks.0';
      expect(named.get(`${prefix}.Wq.weight`)).toBe(params.blocks[0]!.query.weight);
      const back = fromReferenceTensors(named, params, model.options);
      expect(treeLeaves<NDArray>(back).map(({ leaf }) => [...leaf.data])).toEqual(
        treeLeaves<NDArray>(params).map(({ leaf }) => [...leaf.data]),
      );
      const tables = tablesFromReference(named, model.options)!;
      expect(tables.map(({ key }) => [...key.index])).toEqual(
        model.plans.map(({ tables: { key } }) => [...key.index]),
      );
      named.delete(`${prefix}.Wk.weight`);
      expect(() => fromReferenceTensors(named, params, model.options)).toThrow(`lacks '${prefix}.Wk.weight'`);
      named.set(`${prefix}.Wk.weight`, params.embedding).set('stranger', params.embedding);
      expect(() => fromReferenceTensors(named, params, model.options)).toThrow('shape');
      named.set(`${prefix}.Wk.weight`, params.blocks[0]!.key.weight);
      expect(() => fromReferenceTensors(named, params, model.options)).toThrow("'stranger'");
    }
  });
});

describe('corpora and windows', () => {
  it('prepares a text of the user as the reference does, and refuses a tiny one', () => {
    expect(externalCorpus('abcdefgh')).toBe(' abcdefgh\n');
    expect(externalCorpus('abc defgh\n')).toBe('abc defgh\n');
    expect(() => externalCorpus('1234567')).toThrow('at least 8 characters, but this one has 7');
  });

  it('maps unknown characters to the blank, or to the first id', () => {
    expect([...CharacterVocabulary.of('b a').encode('axb')]).toEqual([1, 0, 2]);
    expect([...CharacterVocabulary.of('ba').encode('bx')]).toEqual([1, 0]);
    expect(CharacterVocabulary.of('𝔘z').characters).toEqual(['z', '𝔘']);
  });

  it('corrupts inputs at the asked rate and never the targets', () => {
    const ids = Int32Array.from({ length: 500 }, (_, i) => i % 7);
    const loader = new WindowLoader(ids, { batchSize: 40, seqLen: 50, seed: 3, corrupt: 0.2, vocabSize: 7 });
    let corrupted = 0;
    for (let batch = 0; batch < 5; batch++) {
      const { x, y, starts, corruption } = loader.next();
      corrupted += corruption!.mask.reduce((sum, one) => sum + one, 0);
      y.data.forEach((id, i) => {
        expect(id).toBe((starts[Math.floor(i / 50)]! + (i % 50) + 1) % 7);
      });
      x.data.forEach((id, i) => {
        if (corruption!.mask[i] === 0) expect(id).toBe((starts[Math.floor(i / 50)]! + (i % 50)) % 7);
      });
    }
    const trials = 10_000;
    expect(Math.abs(corrupted - 0.2 * trials)).toBeLessThan(4 * Math.sqrt(trials * 0.2 * 0.8));
    expect(() => new WindowLoader(ids.subarray(0, 51), { batchSize: 1, seqLen: 50, seed: 0 })).toThrow(
      'at least 52',
    );
  });
});

describe('sampling', () => {
  const logits = [0.3, 2, -1, 1.5, 1.5, 0];

  it('draws ids as often as their probabilities say', () => {
    const probabilities = samplingProbabilities(logits, { temperature: 0.8, topK: 4 });
    const rng = Rng.fromSeed(4);
    const draws = 20_000;
    const counts = new Array<number>(6).fill(0);
    for (let i = 0; i < draws; i++) counts[drawId(probabilities, rng.uniform())]! += 1;
    counts.forEach((count, id) => {
      const p = probabilities[id]!;
      expect(Math.abs(count - draws * p)).toBeLessThanOrEqual(4 * Math.sqrt(draws * p * (1 - p)));
    });
  });

  it('changes nothing for topK >= V and topP >= 1, under either rule', () => {
    const plain = samplingProbabilities(logits);
    for (const topPRule of ['nucleus', 'exclusive'] as const) {
      expect(
        [...samplingProbabilities(logits, { topK: 6, topP: 1, topPRule })].map((p) => p.toFixed(12)),
      ).toEqual([...plain].map((p) => p.toFixed(12)));
    }
  });

  it('goes to the likeliest id as the temperature falls, lower ids first among equals', () => {
    expect(samplingProbabilities(logits, { temperature: 0 })[1]).toBe(1);
    expect(greedyId([1, 3, 3])).toBe(1);
    expect([...samplingProbabilities(logits, { topK: 2 })].flatMap((p, id) => (p > 0 ? [id] : []))).toEqual([
      1, 3,
    ]);
  });

  it('drops the id that crosses the threshold under the exclusive rule alone', () => {
    const close = [Math.log(0.45), Math.log(0.3), Math.log(0.25)];
    const kept = (topPRule: 'nucleus' | 'exclusive') =>
      [...samplingProbabilities(close, { topP: 0.5, topPRule })].filter((p) => p > 0).length;
    expect([kept('exclusive'), kept('nucleus')]).toEqual([1, 2]);
  });
});
