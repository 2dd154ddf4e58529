import { InputError, type NDArray, ndarray, Rng, type tf } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { Bundle, type Encoded, type FiberConfigInput, fiberConfig, modeDefaults } from '../src/index.js';
import { engineNames, evaluate, input, largestDifference, unitRows } from './helpers.js';

class PlainBundle extends Bundle {
  encode(base: tf.Tensor, fiber: tf.Tensor): Encoded {
    return { base, fiber, dirn: base };
  }
}

const rng = Rng.fromSeed(77);
const topic = new PlainBundle({ name: 'topic', dBase: 6, dFiber: 8, rng });
const time = new PlainBundle({ name: 'time', dBase: 5, dFiber: 6, rng });

describe.each(engineNames)('bundles on %s', (engine) => {
  it('have a unit axis and transport that keeps length', async () => {
    const fiber = rng.normalArray([3, 8]);
    const result = await evaluate(
      engine,
      (f, src, dst) => ({
        axis: topic.canonicalAxis(),
        there: topic.transport(f, src, dst),
        back: topic.transport(topic.transport(f, src, dst), dst, src),
      }),
      input(fiber),
      input(unitRows(rng, 3, 6)),
      input(unitRows(rng, 3, 6)),
    );
    expect(Math.abs(Math.hypot(...result.axis!) - 1)).toBeLessThan(1e-6);
    expect(largestDifference(result.back!, fiber.data)).toBeLessThan(1e-5);
    for (let n = 0; n < 3; n++) {
      const norm = (values: ArrayLike<number>) => Math.hypot(...Array.from(values).slice(n * 8, n * 8 + 8));
      expect(Math.abs(norm(result.there!) / norm(fiber.data) - 1)).toBeLessThan(1e-6);
    }
  });

  it('take a path that was solved outside', async () => {
    const [src, dst] = [rng.normalArray([2, 5]), rng.normalArray([2, 5])];
    const { path } = time.solvePath(src, dst);
    const run = (given: tf.Tensor | undefined) =>
      evaluate(
        engine,
        (f, s, e) => time.transport(f, s, e, given ?? path),
        input(
          ndarray(
            Float32Array.from({ length: 12 }, (_, i) => i - 5),
            [2, 6],
          ),
        ),
        input(src),
        input(dst),
      );
    const [first, second] = [await run(undefined), await run(undefined)];
    expect(first).toEqual(second);
    expect(first['']!.every(Number.isFinite)).toBe(true);
  });
});

describe('bundles', () => {
  it('solve for their path where values can be read, and say so where they cannot', async () => {
    const args = [rng.normalArray([2, 6]), rng.normalArray([2, 5]), rng.normalArray([2, 5])].map(input);
    const run = (engine: 'cpu' | 'onnx') =>
      evaluate(engine, (f, s, e) => time.transport(f, s, e), args[0]!, args[1]!, args[2]!);
    await expect(run('cpu')).resolves.toBeDefined();
    await expect(run('onnx')).rejects.toThrow(/compute it outside/);
    expect(() => topic.solvePath(rng.normalArray([1, 6]), rng.normalArray([1, 6]))).toThrow(/great circles/);
  });

  it('read state dicts with the aliases of the original and refuse what does not fit', () => {
    const own = time.stateDict();
    expect(Object.keys(own)).toContain('conn.net.4.weight');
    const aliased: Record<string, NDArray> = {
      'bundle_time.metric._r': ndarray(new Int32Array(15), [15], 'int32'),
    };
    for (const [name, array] of Object.entries(own)) {
      aliased[`bundle_time.${name}`] = array;
      if (name.startsWith('metric.')) aliased[`bundle_time.trans.conn.${name}`] = array;
      if (name.startsWith('metric.')) aliased[`bundle_time.conn.${name}`] = array;
      if (name.startsWith('conn.')) aliased[`bundle_time.trans.${name}`] = array;
    }
    const parameters = time.loadStateDict(aliased, 'bundle_time.');
    const loaded = new PlainBundle({ name: 'time', dBase: 5, dFiber: 6, parameters });
    expect(loaded.stateDict()).toEqual(own);

    const name = 'bundle_time.trans.conn.net.0.bias';
    const twisted = {
      ...aliased,
      [name]: ndarray(
        aliased[name]!.data.map((v) => v + 1),
        aliased[name]!.shape,
      ),
    };
    expect(() => time.loadStateDict(twisted, 'bundle_time.')).toThrow(/two names of one array but differ/);
    const { _axis_raw, ...missing } = own;
    expect(() => time.loadStateDict(missing)).toThrow(/no '_axis_raw'/);
    expect(() => topic.loadStateDict(own)).toThrow(/shape/);
  });

  it('must have a known name', () => {
    expect(() => new PlainBundle({ name: 'space' as never, dBase: 4, dFiber: 4, rng })).toThrow(InputError);
  });
});

describe('configuration', () => {
  it('has valid defaults, and parity mode restores the original', () => {
    expect(fiberConfig()).toMatchObject({ dTopic: 16, dFTopic: 64, nGeoPts: 8, ...modeDefaults.improved });
    expect(fiberConfig({ mode: 'parity' })).toMatchObject(modeDefaults.parity);
    expect(fiberConfig({ mode: 'parity', integrator: 'magnus4' }).integrator).toBe('magnus4');
  });

  const broken: [string, FiberConfigInput][] = [
    ['dTime', { dTime: 3 }],
    ['dFTopic', { dFTopic: 63 }],
    ['nKakeyaSets', { nKakeyaSets: 1 }],
    ['kakeyaVarianceRatio', { kakeyaVarianceRatio: 0 }],
    ['kakeyaVarianceRatio', { kakeyaVarianceRatio: 1.01 }],
    ['kakeyaK', { kakeyaK: 1 }],
    ['kakeyaDRes', { kakeyaDRes: -1 }],
    ['kakeyaMinEntries', { kakeyaMinEntries: 1 }],
    ['kakeyaAlignmentTol', { kakeyaAlignmentTol: 0 }],
    ['kakeyaReconstructionTol', { kakeyaReconstructionTol: 1 }],
    ['lMem', { lMem: 9 }],
    ['prefixSlotsCtx', { prefixSlotsCtx: 0 }],
    ['nGeoPts', { nGeoPts: 1 }],
    ['tau', { tau: 1 }],
    ['cfgScale', { cfgScale: -0.1 }],
    ['llmDtype', { llmDtype: 'fp8' as never }],
    ['compressionMinDim', { compressionMinDim: 63 }],
    ['lossWeights.recon', { lossWeights: { recon: -1 } }],
    ['normCorrectionInterval', { normCorrectionInterval: 0 }],
    ['geoTol', { geoTol: 0 }],
    ['capacity', { capacity: 0 }],
    ['dTmie', { dTmie: 8 } as never],
  ];
  it.each(broken)('refuses a bad %s by name', (field, config) => {
    expect(() => fiberConfig(config)).toThrow(new RegExp(`'${field.replace('.', '\\.')}'`));
  });
});
