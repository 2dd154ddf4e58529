import { type NDArray, Rng, treeLeaves } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import {
  chooseForm,
  createOsamModel,
  fromReferenceTensors,
  type OsamParams,
  parameterCount,
  presets,
  resolveConfig,
  tablesFromReference,
  toReferenceTensors,
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

  it('says how the model is spoken with: as the reference program does, or as everybody does', () => {
    const speakingOf = (options: Parameters<typeof createOsamModel>[0]) => createOsamModel(options).speaking;
    const size = { vocabSize: 5, dModel: 4, sketchDim: 8 };
    expect(speakingOf(presets.reference(size))).toEqual({
      priming: 'reference',
      sampling: { topPRule: 'exclusive' },
    });
    expect(speakingOf(presets.reference({ ...size, topPRule: 'nucleus' }))?.sampling).toEqual({
      topPRule: 'nucleus',
    });
    expect(speakingOf(presets.improved(size))).toEqual({
      priming: 'exact',
      sampling: { topPRule: 'nucleus' },
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
      presets.improved({ vocabSize: 9, dModel: 8, sketchDim: 16, omegaMode: 'none' }),
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

  it('begin with the asked deviation of the embedding', () => {
    const spread = (options: object) => {
      const model = createOsamModel({ vocabSize: 400, dModel: 32, sketchDim: 64, ...options });
      const { data } = (model.init(Rng.fromSeed(5)) as OsamParams<NDArray>).embedding;
      return Math.sqrt(Array.from(data).reduce((sum, value) => sum + value * value, 0) / data.length);
    };
    expect(spread({})).toBeCloseTo(1, 1);
    expect(spread({ embeddingInitStd: 0.3 })).toBeCloseTo(0.3, 2);
    expect(() => resolveConfig({ vocabSize: 5, embeddingInitStd: 0 })).toThrow("'embeddingInitStd' is wrong");
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
