import { describe, expect, it } from 'vitest';
import type { OmModel } from '../src/index.js';
import { mechanism } from '../src/mechanism.js';

const architecture = mechanism.architectures![0]!;

describe('the card', () => {
  it.each(Object.keys(architecture.presets))(
    'makes the preset %s and restores it from its configuration',
    async (preset) => {
      const model = architecture.create(50_259, {}, preset);
      const restored = await architecture.restore(JSON.parse(JSON.stringify(model.config)));
      expect(restored.config).toEqual(model.config);
    },
  );

  it('takes flags over a preset, lists by pass', () => {
    const flags = { dimsKey: [8], dimsValue: [8], scalingFactors: [0], ropePct: 1, stateLen: 3 };
    const { options } = architecture.create(256, flags, 'small') as OmModel;
    expect(options).toMatchObject({
      stateLen: 3,
      scalingFactors: [null],
      rope: [{ dim: 8, pct: 1, base: 10000 }],
    });
    const without = architecture.create(256, { rotary: false }, 'medium') as OmModel;
    expect(without.options.rope).toEqual([null, null, null]);
  });

  it('says what is wrong with a preset or an option', () => {
    expect(() => architecture.create(256, {}, 'huge')).toThrow(
      "Om has no preset 'huge'; the presets are small,",
    );
    expect(() => architecture.create(256, { dimsKey: [8] })).toThrow("one entry in 'dimsValue': 1");
  });

  it('has the published number of weights', () => {
    const { options } = architecture.create(50_259, {}, 'parity') as OmModel;
    const { numLayers: L, numHeads: H, dimInput: d, dimHidden: h, stateLen: S, attnProjRank: r } = options;
    const widths = options.dimsKey.reduce(
      (sum, key, p) => sum + (p === 0 ? d : options.dimsValue[p - 1]!) * (2 * key + options.dimsValue[p]!),
      0,
    );
    // The last value width is the rank: there is no inner projection.
    const layer = 2 * H * widths + 2 * H * r * d + 2 * d * h + h + d + S * d + 6 * d;
    const ngrams = [2, 3].reduce((sum, k) => sum + Math.floor(d / k) * (k * d + d), 0);
    expect(2 * 50_259 * d + ngrams + L * layer).toBe(298_403_840);
  });
});
