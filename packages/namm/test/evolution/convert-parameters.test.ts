import { createEngine, ndarray, Rng, type tf, toHost } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { type NAMMConfig, resolveNAMMConfig } from '../../src/config.js';
import { convertParameters, evolutionConfig, withLayout } from '../../src/evolution/convert-parameters.js';
import { parameterCount } from '../../src/scorer/layout.js';
import { prepareParameters, scoreTokens } from '../../src/scorer/score-tokens.js';

const small = resolveNAMMConfig({
  nFft: 8,
  hopLength: 4,
  recencyEmbedDim: 4,
  bam: { hiddenDim: 10 },
  updateInterval: 16,
  maxTokensPerForward: 16,
});
const features = Rng.fromSeed(2).normalArray([1, 2, 12, 9]);
const positions = ndarray(
  Int32Array.from({ length: 24 }, (_, i) => i % 12),
  [1, 2, 12],
  'int32',
);

async function scores(config: NAMMConfig, vector: Float32Array): Promise<Float32Array> {
  const engine = await createEngine('cpu');
  const prepared = prepareParameters(config, [vector]);
  const run = engine.compile((flat: tf.Tensor, x: tf.Tensor, places: tf.Tensor) =>
    scoreTokens(prepared.config, flat, { features: x, positions: places }),
  );
  const result = await run(prepared.layer(0, 2), features, positions);
  const values = Float32Array.from((await toHost(result)).data);
  await engine.dispose();
  return values;
}

const worst = (a: Float32Array, b: Float32Array) => Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));

describe('parameters', () => {
  it('are as many as published, and as many as they have degrees of freedom when folded', () => {
    expect(parameterCount(resolveNAMMConfig())).toBe(4172);
    expect(parameterCount(evolutionConfig())).toBe(1326);
    expect(parameterCount(small)).toBe(9 * 30 + 30 + 10 * 18 + 18 + 9 + 1);
    expect(parameterCount(withLayout(small, 'folded'))).toBe(2 * 81 + 3 * 9 + 1);
    expect(parameterCount(resolveNAMMConfig({ paramSharing: 'perLayer' }), 3)).toBe(3 * 4172);
  });

  it('of a new evolution are folded where that exists, and told otherwise they are not', () => {
    expect(evolutionConfig().parameterisation).toBe('folded');
    expect(evolutionConfig({ parameterisation: 'standard' }).parameterisation).toBe('standard');
    expect(evolutionConfig({ scorer: 'bamNoMult' }).parameterisation).toBe('standard');
    expect(evolutionConfig({ mode: 'parityOfficial' }).parameterisation).toBe('standard');
  });

  it('score the same in either layout, there and back', async () => {
    const vector = Rng.fromSeed(3).normalArray([parameterCount(small)], 0, 0.5).data;
    const folded = convertParameters(small, vector, 'folded');
    expect(folded.length).toBe(190);
    const asFolded = withLayout(small, 'folded');
    const back = convertParameters(asFolded, folded, 'standard');
    expect(back.length).toBe(vector.length);
    const [a, b, c] = [
      await scores(small, vector),
      await scores(asFolded, folded),
      await scores(small, back),
    ];
    expect(Math.max(...a) - Math.min(...a)).toBeGreaterThan(1);
    expect(worst(a, b)).toBeLessThan(2e-5);
    expect(worst(a, c)).toBeLessThan(2e-5);
  });

  it('of several scorers are converted one by one', () => {
    const config = resolveNAMMConfig({ ...small, paramSharing: 'perLayer' } as never);
    const one = Rng.fromSeed(3).normalArray([parameterCount(small)], 0, 0.5).data;
    const two = Float32Array.of(...one, ...one.map((value) => -value));
    const folded = convertParameters(config, two, 'folded');
    expect(folded.slice(0, 190)).toEqual(convertParameters(small, one, 'folded'));
    expect(folded.length).toBe(380);
  });

  it('that cannot be converted are refused', () => {
    expect(() =>
      convertParameters(resolveNAMMConfig({ scorer: 'linear' }), new Float32Array(25), 'folded'),
    ).toThrow('cannot be folded');
    expect(() => convertParameters(small, new Float32Array(3), 'folded')).toThrow(
      'come in 508, but 3 were given',
    );
    const narrow = resolveNAMMConfig({
      ...small,
      bam: { hiddenDim: 4 },
      parameterisation: 'folded',
    } as never);
    expect(() => convertParameters(narrow, new Float32Array(190), 'standard')).toThrow('of width 9 or more');
  });
});
