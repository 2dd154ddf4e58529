import { InputError } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import {
  createNAMM,
  type FeatureStatistics,
  nammPolicy,
  parameterCount,
  resolveNAMMConfig,
} from '../src/index.js';

/** Configurations that cannot be meant, and how their refusal begins. */
const HOSTILE: readonly (readonly [config: object, sentence: RegExp])[] = [
  [{ updateInterval: 500 }, /^updateInterval is a multiple of hopLength/],
  [{ updateInterval: 512, maxTokensPerForward: 100 }, /^maxTokensPerForward divides updateInterval/],
  [{ hopLength: 64, updateInterval: 512 }, /^hopLength is at most the window's length/],
  [{ updateInterval: 16, maxTokensPerForward: 16, nFft: 64 }, /^updateInterval is at least nFft - hopLength/],
  [{ window: [1, 2, 3] }, /^A given window has nFft weights, 32, but 3/],
  [{ bam: { hiddenDim: 30, numHeads: 4 } }, /^bam\.hiddenDim is a multiple of bam\.numHeads/],
  [{ bam: { mlpDepth: 1e9, mlpHidden: 8 } }, /bam\.mlpDepth/],
  [{ scorer: 'mlp', scoreEmaCoeff: 0.9, mlp: { depth: 1e9 } }, /mlp\.depth/],
  [{ recencyEmbedDim: 2 ** 26 }, /^A policy has at most 16777216 parameters/],
  [{ bam: { hiddenDim: 2 ** 26 } }, /^A policy has at most 16777216 parameters/],
  [{ nFft: 2 ** 20, updateInterval: 2 ** 20 }, /^A policy has at most 16777216 parameters/],
  [{ bam: { mlpDepth: 2 } }, /^A readout of depth 2 needs bam\.mlpHidden/],
  [{ scoreEmaCoeff: 0.9 }, /^scoreEmaCoeff averages scores of single frames/],
  [{ scorer: 'linear', parameterisation: 'folded' }, /^Folded parameters exist for the scorer 'bam'/],
  [{ bam: { window: 4, maskingStrategy: 'forward' } }, /^bam\.window limits how far/],
  [
    { selection: { kind: 'dynamic' }, paramSharing: 'perHead' },
    /^The selection 'dynamic' learns one threshold/,
  ],
  [{ adaptive: {}, eviction: 'parity' }, /^adaptive is ours/],
  [{ adaptive: { tailShare: 0 } }, /adaptive\.tailShare/],
  [{ hierarchy: {}, scorer: 'mlp' }, /^hierarchy scores blocks by attention among them/],
  [{ hierarchy: {}, selection: { kind: 'topk' } }, /^hierarchy lets blocks below a threshold fall/],
  [{ hierarchy: {}, eviction: 'parity' }, /^hierarchy is ours/],
  [{ hierarchy: { block: 0 } }, /hierarchy\.block/],
  [{ scales: [8, 15] }, /scales/],
  [{ scales: [] }, /scales/],
  [{ scales: [8, 32], hopLength: 16 }, /^hopLength is at most the window's length/],
  [{ nFft: 31 }, /nFft/],
  [{ emaCoeff: 1 }, /emaCoeff/],
  [{ emaCoeff: Number.NaN }, /emaCoeff/],
  [{ updateIntervall: 512 }, /updateIntervall/],
];

describe('configurations that cannot be', () => {
  it.each(HOSTILE)('%j is refused in one sentence', (config, sentence) => {
    let refusal: unknown;
    try {
      createNAMM(config);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(InputError);
    const { message } = refusal as InputError;
    expect(message).toMatch(sentence);
    expect(message).not.toContain('\n');
  });
});

describe('statistics that features cannot be normalised by', () => {
  const config = resolveNAMMConfig({ nFft: 8, hopLength: 4, updateInterval: 16, maxTokensPerForward: 8 });
  const vectors = [new Float32Array(parameterCount(config))];
  const good: FeatureStatistics = {
    mean: new Float32Array(5),
    variance: new Float32Array(5).fill(1),
    count: 3,
  };
  const refused: [string, readonly FeatureStatistics[], RegExp][] = [
    ['none', [], /there are none/],
    [
      'another width',
      [good, { ...good, mean: new Float32Array(4) }],
      /^Statistics 1 .* 4 means and 5 var.* 5 wide/,
    ],
    ['a mean of NaN', [{ ...good, mean: Float32Array.of(0, 0, Number.NaN, 0, 0) }], /no finite number/],
    ['a variance below 0', [{ ...good, variance: Float32Array.of(1, 1, -1, 1, 1) }], /a variance of -1,/],
    [
      'an endless variance',
      [{ ...good, variance: new Float32Array(5).fill(1 / 0) }],
      /a variance of Infinity,/,
    ],
    ['a count of NaN', [{ ...good, count: Number.NaN }], /are of NaN values/],
  ];

  it.each(refused)('%s is refused in one sentence', (_name, statistics, sentence) => {
    const make = () => nammPolicy(config, { vectors, statistics });
    expect(make).toThrow(InputError);
    expect(make).toThrow(sentence);
  });

  it('are not looked at where nothing is normalised, and taken where they fit', () => {
    expect(nammPolicy(config, { vectors, statistics: [good, good] }).name).toBe('namm');
    expect(nammPolicy({ ...config, normalise: false }, { vectors, statistics: [] }).name).toBe('namm');
  });
});
