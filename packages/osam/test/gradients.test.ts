import {
  createEngine,
  type NDArray,
  ndarray,
  Rng,
  tf,
  treeLeaves,
  valueAndGradient,
} from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { createBlockTables, type OsamOptions, planBlock, resolveConfig } from '../src/index.js';
import { bilinearForm } from '../src/memory/feature/bilinear.js';
import { pairsForm } from '../src/memory/feature/pairs.js';
import { randomModel, randomTokens, runGradients, toHost } from './support/models.js';

const small = { vocabSize: 9, dModel: 8, sketchDim: 20, readoutHidden: 6, chunk: 5 };

describe('parameters without a gradient', async () => {
  const engine = await createEngine('cpu');
  const missing = async (options: OsamOptions) => {
    const { model, params } = randomModel(options);
    const { gradients } = await runGradients(engine, model, params, randomTokens(2, 9, 9));
    return treeLeaves(params)
      .map(({ path }) => path)
      .filter((path) => !gradients.has(path))
      .map((path) => path.replace('blocks.0.', ''));
  };
  const writes = ['key.weight', 'value.weight', 'thetaKey'];
  const valueParts = [
    'norm.gain',
    'norm.bias',
    'hidden.weight',
    'hidden.bias',
    'output.weight',
    'output.bias',
  ];
  const values = ['gateValue', ...valueParts.map((part) => `valueProjection.${part}`)];
  const readouts = ['hidden.weight', 'hidden.bias', 'output.weight', 'output.bias'].map(
    (part) => `readout.${part}`,
  );

  it.each([
    ['reference', { mode: 'parity' }, writes],
    ['reference without the value path', { mode: 'parity', enableValuePath: false }, [...writes, ...values]],
    ['full gradients', { mode: 'parity', gradientFlow: 'full' }, []],
    ['improved', {}, []],
    ['improved without the value path', { enableValuePath: false }, ['value.weight', ...values]],
    ['improved, value path only', { featurePath: false }, ['gateFeature']],
    [
      'detached, value path only',
      { featurePath: false, gradientFlow: 'detached' },
      [...writes, 'query.weight', 'thetaQuery', 'omega', 'keyMix', 'gateFeature'],
    ],
  ] as [string, Partial<OsamOptions>, string[]][])('%s', async (_name, options, expected) => {
    expect((await missing({ ...small, ...options })).sort()).toEqual([...expected].sort());
    expect(readouts.length).toBe(4);
  });

  it('leaves the columns of W_1 that no pair of channels reaches at exactly zero', async () => {
    for (const form of ['pairs', 'bilinear'] as const) {
      const { model, params } = randomModel({ ...small, dModel: 4, sketchDim: 40, mode: 'parity', form });
      const { gradients } = await runGradients(engine, model, params, randomTokens(2, 9, 9));
      const live = new Set(model.plans[0]!.sums.live);
      expect(live.size).toBeLessThan(40);
      const columns = gradients.get('blocks.0.readout.hidden.weight')!;
      const reached = columns.filter((_, index) => live.has(index % 40));
      expect(columns.filter((_, index) => !live.has(index % 40)).every((value) => value === 0)).toBe(true);
      expect(reached.every((value) => value !== 0)).toBe(true);
    }
  });
});

/** The convolution by its definition, in float64: W_1 Re(Q * K) weighted by `probe` and summed. */
function oracle(q: Float64Array, k: Float64Array, w: Float64Array, probe: Float64Array, s: Sizes): number {
  let total = 0;
  for (let n = 0; n < s.tokens; n++) {
    for (let a = 0; a < s.uq; a++) {
      for (let b = 0; b < s.uk; b++) {
        const re = q[n * 2 * s.uq + a]! * k[n * 2 * s.uk + b]!;
        const im = q[n * 2 * s.uq + s.uq + a]! * k[n * 2 * s.uk + s.uk + b]!;
        const bucket = s.pairToBucket[a * s.uk + b]!;
        for (let h = 0; h < s.hidden; h++)
          total += probe[n * s.hidden + h]! * w[h * s.m + bucket]! * (re - im);
      }
    }
  }
  return total;
}

interface Sizes {
  readonly tokens: number;
  readonly hidden: number;
  readonly m: number;
  readonly uq: number;
  readonly uk: number;
  readonly pairToBucket: Int32Array;
}

describe('custom gradients against finite differences in float64', async () => {
  const engine = await createEngine('cpu');
  const forms = { pairs: pairsForm, bilinear: bilinearForm };
  for (const featureHash of ['shared', 'independent'] as const) {
    for (const [name, form] of Object.entries(forms)) {
      it(`${name}, ${featureHash} tables`, async () => {
        const config = resolveConfig({
          vocabSize: 2,
          dModel: 6,
          sketchDim: 11,
          featureHash,
          featureScale: 'reference',
        });
        const plan = planBlock(createBlockTables(config));
        const sizes: Sizes = {
          tokens: 3,
          hidden: 2,
          m: 11,
          uq: plan.query.used.length,
          uk: plan.key.used.length,
          pairToBucket: plan.sums.pairToBucket,
        };
        const rng = Rng.fromSeed(5);
        const draw = (...shape: number[]) => rng.normalArray(shape);
        const inputs = { q: draw(3, 2 * sizes.uq), k: draw(3, 2 * sizes.uk), w: draw(2, 11) };
        const probe = draw(3, 2);
        const gradient = engine.compile(
          (parameters: Record<'q' | 'k' | 'w', tf.Tensor>, weights: tf.Tensor) => {
            const { gradients } = valueAndGradient(({ q, k, w }: Record<'q' | 'k' | 'w', tf.Tensor>) => {
              const input = { query: q, prefix: k, weight: w, energy: 'none', wantPsi: false } as const;
              return tf.sum(tf.mul(form(input, plan).projected, weights));
            }, parameters);
            return gradients as unknown as Record<'q' | 'k' | 'w', tf.Tensor>;
          },
        );
        const actual = await toHost<Record<'q' | 'k' | 'w', NDArray>>(await gradient(inputs, probe));
        const wide = Object.fromEntries(
          Object.entries(inputs).map(([key, array]) => [key, Float64Array.from(array.data)]),
        ) as Record<'q' | 'k' | 'w', Float64Array>;
        const weights = Float64Array.from(probe.data);
        const value = () => oracle(wide.q, wide.k, wide.w, weights, sizes);
        for (const key of ['q', 'k', 'w'] as const) {
          for (let i = 0; i < wide[key].length; i++) {
            const centre = wide[key][i]!;
            const step = 1e-4;
            wide[key][i] = centre + step;
            const above = value();
            wide[key][i] = centre - step;
            const slope = (above - value()) / (2 * step);
            wide[key][i] = centre;
            expect(Math.abs(actual[key].data[i]! - slope), `${key}[${i}]`).toBeLessThan(
              2e-5 * (1 + Math.abs(slope)),
            );
          }
        }
      });
    }
  }

  // The first value reads are a sign times a normalised value: keys are varied with the value path off.
  it.each([
    ['key', { enableValuePath: false }],
    ['value', {}],
    ['writeGate', { writeGate: true, heads: 2, valueKernel: 'exact' }],
  ] as const)('the whole model along one direction of its %s projection', async (name, options) => {
    const { model, params } = randomModel({ ...small, mode: 'parity', gradientFlow: 'full', ...options });
    const tokens = randomTokens(2, 12, 9);
    const { gradients } = await runGradients(engine, model, params, tokens);
    const projection = params.blocks[0]![name]!;
    const direction = Rng.fromSeed(3).normalArray(projection.weight.shape);
    const step = 2e-2;
    const lossAt = async (sign: number) => {
      const { weight } = projection;
      const moved = weight.data.map((x, i) => x + sign * step * direction.data[i]!) as Float32Array;
      const blocks = [
        { ...params.blocks[0]!, [name]: { ...projection, weight: ndarray(moved, weight.shape) } },
      ];
      return (await runGradients(engine, model, { ...params, blocks }, tokens)).loss;
    };
    const slope = ((await lossAt(1)) - (await lossAt(-1))) / (2 * step);
    const gradient = gradients.get(`blocks.0.${name}.weight`)!;
    const expected = gradient.reduce((sum, g, i) => sum + g * direction.data[i]!, 0);
    expect(Math.abs(slope)).toBeGreaterThan(1e-4);
    expect(Math.abs(slope - expected)).toBeLessThan(0.02 * Math.abs(slope) + 1e-5);
  });
});
