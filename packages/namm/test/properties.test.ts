import { createEngine, type Engine, type NDArray, ndarray, Rng, runOnce, tf } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { featureWidth } from '../src/check-config.js';
import { advanceStream } from '../src/features/stream.js';
import {
  createNAMM,
  type FeatureStatistics,
  manageTransformer,
  mergeStatistics,
  nammPolicy,
  parameterCount,
  prepareParameters,
  resolveNAMMConfig,
  scorerParts,
  scoreTokens,
  selectTokens,
  transferNamm,
  type UpdateReport,
} from '../src/index.js';
import { scoreInBlocks } from '../src/scorer/hierarchy.js';
import { livelyTransformer, maxDifference, smallNamm, texts } from './support/models.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('cpu');
});
afterAll(() => engine.dispose());

const small = { nFft: 8, hopLength: 4, recencyEmbedDim: 4, updateInterval: 16, maxTokensPerForward: 8 };
const TOKENS = 21;

const vectorOf = (config: ReturnType<typeof resolveNAMMConfig>, seed = 6) =>
  Float32Array.from(Rng.fromSeed(seed).normalArray([parameterCount(config)], 0, 0.6).data);
const countUp = (heads: number, tokens: number) =>
  ndarray(
    Int32Array.from({ length: heads * tokens }, (_, index) => index % tokens),
    [1, heads, tokens],
    'int32',
  );

/** Scores of tokens with given features, `[1, 1, tokens, width]`. */
async function scoresOf(
  config: ReturnType<typeof resolveNAMMConfig>,
  vector: Float32Array,
  features: NDArray,
) {
  const prepared = prepareParameters(config, [vector]);
  const score = (flat: tf.Tensor, x: tf.Tensor, positions: tf.Tensor) =>
    scoreTokens(prepared.config, flat, { features: x, positions });
  const tokens = features.shape[2]!;
  const { data } = await runOnce(engine, score, prepared.layer(0, 1), features, countUp(1, tokens));
  return Array.from(data, Number);
}

const attention = (rng: Rng, heads: number, queries: number, tokens: number): NDArray => {
  const data = rng.uniformArray([heads * queries, tokens]).data.map((value) => value ** 4);
  for (let row = 0; row < heads * queries; row++) {
    const own = data
      .subarray(row * tokens, (row + 1) * tokens)
      .fill(0, tokens - queries + (row % queries) + 1);
    const sum = own.reduce((all, value) => all + value, 0);
    for (const [i, value] of own.entries()) own[i] = value / sum;
  }
  return ndarray(data, [1, heads, queries, tokens]);
};

describe('the scorer', () => {
  it.each([
    ['one head, multiplied out', {}],
    ['two heads, as published', { bam: { hiddenDim: 6, numHeads: 2 } }],
  ])('looks at newer tokens alone: %s', async (_name, options) => {
    const config = resolveNAMMConfig({ ...small, bam: { hiddenDim: 6 }, ...options });
    const width = featureWidth(config);
    const features = Rng.fromSeed(1).normalArray([1, 1, TOKENS, width]);
    const changed = ndarray(Float32Array.from(features.data), features.shape);
    const at = 12;
    for (let i = 0; i < width; i++) changed.data[at * width + i]! += 1;
    const [before, after] = [
      await scoresOf(config, vectorOf(config), features),
      await scoresOf(config, vectorOf(config), changed),
    ];
    const moved = before.flatMap((score, token) => (score === after[token] ? [] : [token]));
    expect(moved.slice(-1)).toEqual([at]);
    expect(moved.length).toBeGreaterThan(at / 2);
    expect(moved[0]).toBe(0);
  });

  it('keeps the same tokens when its readout is scaled by a positive factor', async () => {
    const config = resolveNAMMConfig({ ...small, bam: { hiddenDim: 6 } });
    const features = Rng.fromSeed(2).normalArray([1, 1, TOKENS, featureWidth(config)]);
    const vector = vectorOf(config);
    const scaled = Float32Array.from(vector);
    let at = 0;
    for (const { name, shape } of scorerParts(config)) {
      const size = shape.reduce<number>((product, extent) => product * extent, 1);
      if (name.startsWith('readout')) for (let i = at; i < at + size; i++) scaled[i]! *= 3.7;
      at += size;
    }
    expect(at).toBe(vector.length);
    const kept = async (parameters: Float32Array) => {
      const scores = await scoresOf(config, parameters, features);
      const rule = { kind: 'binary', cacheSize: null, threshold: () => 0, parity: false } as const;
      return { scores, kept: selectTokens(ndarray(Float32Array.from(scores), [1, 1, TOKENS]), rule).kept };
    };
    const [plain, large] = [await kept(vector), await kept(scaled)];
    expect(large.kept).toEqual(plain.kept);
    expect(plain.kept.shape[2]).toBeLessThan(TOKENS);
    expect(large.scores[0]! / plain.scores[0]!).toBeCloseTo(3.7, 4);
  });

  it('permuting heads permutes what each keeps', async () => {
    const rng = Rng.fromSeed(3);
    const [heads, group, tokens, width] = [3, 2, 16, 4];
    const rows = attention(rng, heads * group, tokens, tokens);
    const key = rng.normalArray([1, heads, tokens, width]);
    const order = [2, 0, 1];
    const permuted = (x: NDArray): NDArray => {
      const size = x.data.length / heads;
      const data = Float32Array.from(
        order.flatMap((head) => [...x.data.subarray(head * size, (head + 1) * size)]).map(Number),
      );
      return ndarray(data, x.shape);
    };
    const make = () =>
      createNAMM({
        ...small,
        normalise: false,
        bam: { hiddenDim: 6 },
        parameters: { deviation: 0.6, seed: 6 },
        engine,
      });
    const [a, b] = [make(), make()];
    const plain = await a.update(0, { key, value: key }, rows, countUp(heads, tokens));
    const turned = permuted(key);
    const other = await b.update(0, { key: turned, value: turned }, permuted(rows), countUp(heads, tokens));
    expect([...other.lengths.data]).toEqual(order.map((head) => plain.lengths.data[head]));
    const scores = (data: ArrayLike<number>, head: number) =>
      Array.from(data).slice(head * tokens, (head + 1) * tokens);
    order.forEach((head, place) => {
      expect(maxDifference(scores(other.scores.data, place), scores(plain.scores.data, head))).toBeLessThan(
        1e-6,
      );
    });
    expect(maxDifference(scores(plain.scores.data, 0), scores(plain.scores.data, 2))).toBeGreaterThan(1e-3);
    await Promise.all([a.dispose(), b.dispose()]);
  });

  it('scores blocks, then the tokens of those that stay as if the others had left', async () => {
    const config = resolveNAMMConfig({ ...small, bam: { hiddenDim: 6 }, hierarchy: { block: 4 } });
    const width = featureWidth(config);
    const features = Rng.fromSeed(5).normalArray([1, 1, TOKENS, width]);
    const vector = vectorOf(config, 8);
    const prepared = prepareParameters(config, [vector]);
    const score = (flat: tf.Tensor, x: tf.Tensor, positions: tf.Tensor, valid: tf.Tensor) =>
      scoreInBlocks(prepared.config, flat, { features: x, positions, valid }, tf.zeros([1, 1, 1]));
    const all = ndarray(new Uint8Array(TOKENS).fill(1), [1, 1, TOKENS], 'bool');
    const { data } = await runOnce(engine, score, prepared.layer(0, 1), features, countUp(1, TOKENS), all);
    const row = (token: number) =>
      Array.from(features.data.subarray(token * width, (token + 1) * width), Number);
    const blocks = [[0], ...Array.from({ length: 5 }, (_, b) => [1, 2, 3, 4].map((i) => 4 * b + i))];
    const means = blocks.flatMap((tokens) =>
      row(0).map((_, i) => tokens.reduce((sum, token) => sum + row(token)[i]!, 0) / tokens.length),
    );
    const ofBlocks = await scoresOf(config, vector, ndarray(Float32Array.from(means), [1, 1, 6, width]));
    const left = blocks.filter((_, b) => ofBlocks[b]! >= 0).flat();
    expect(left.length).toBeGreaterThan(0);
    expect(left.length).toBeLessThan(TOKENS);
    const alone = await scoresOf(
      config,
      vector,
      ndarray(Float32Array.from(left.flatMap(row)), [1, 1, left.length, width]),
    );
    expect(
      maxDifference(
        left.map((token) => Number(data[token])),
        alone,
      ),
    ).toBeLessThan(1e-5);
    // What falls with its block has the block's score, which is below the threshold and no sentinel.
    blocks.forEach((tokens, block) => {
      if (ofBlocks[block]! >= 0) return;
      for (const token of tokens) {
        expect(data[token]).toBeCloseTo(ofBlocks[block]!, 5);
        expect(data[token]).toBeLessThan(0);
      }
    });
  });

  it('gives finite scores with blocks, all that leave below the threshold, in reports and summaries', async () => {
    const { model, params } = livelyTransformer();
    const { policy } = smallNamm({ hierarchy: { block: 4 } });
    const reports: UpdateReport[] = [];
    const reader = manageTransformer(model, policy, { updateInterval: 16, maxTokensPerForward: 8 }).compile(
      engine,
      params,
    );
    const reading = reader.read(1, { onUpdate: (report) => reports.push(report) });
    (await reading.read(texts(1, 48))).dispose();
    await reading.dispose();
    await reader.dispose();
    let dropped = 0;
    for (const { scores, positions, kept } of reports.flatMap(({ layers }) => layers)) {
      const [, heads, slots] = positions.shape as [number, number, number];
      const most = kept.shape[2]!;
      for (let at = 0; at < heads * slots; at++) {
        expect(Math.abs(Number(scores.data[at]))).toBeLessThan(1e3);
        const head = Math.floor(at / slots);
        const stays = kept.data.subarray(head * most, (head + 1) * most).includes(at % slots);
        if (positions.data[at]! < 0 || stays) continue;
        expect(scores.data[at]).toBeLessThan(0);
        dropped += 1;
      }
    }
    expect(dropped).toBeGreaterThan(10);

    const namm = createNAMM({
      ...{ ...small, normalise: false, bam: { hiddenDim: 6 }, hierarchy: { block: 4 }, engine },
      parameters: { deviation: 0.6, seed: 8 },
    });
    const rng = Rng.fromSeed(12);
    const key = rng.normalArray([1, TOKENS, 4]);
    const rows = attention(rng, 1, 16, TOKENS);
    const received = ndarray(
      Float32Array.from(
        { length: TOKENS * 16 },
        (_, i) => rows.data[(i % 16) * TOKENS + Math.floor(i / 16)]!,
      ),
      [1, TOKENS, 16],
    );
    const summary = await namm.evaluateRetention({ key, value: key }, received);
    expect(summary.retentionRate).toBeLessThan(1);
    expect(Math.abs(summary.meanScore!)).toBeLessThan(1e3);
    expect(Math.abs(summary.minScore!)).toBeLessThan(1e3);
    await namm.dispose();
  });
});

describe('features', () => {
  it('of several scales are those of each scale, side by side', async () => {
    const rows = attention(Rng.fromSeed(9), 2, 16, 24);
    const average = async (options: Parameters<typeof resolveNAMMConfig>[0]) => {
      const config = resolveNAMMConfig({ ...small, ...options });
      const run = (x: tf.Tensor) => advanceStream(config, x, undefined).average;
      const { data, shape } = await runOnce(engine, run, rows);
      const list = data.length / 2;
      return [0, 1].map((head) => ({
        bins: shape[2]!,
        values: Array.from(data.subarray(head * list, (head + 1) * list), Number),
      }));
    };
    const together = await average({ scales: [8, 16, 4] });
    const single = await Promise.all([8, 16, 4].map((nFft) => average({ nFft })));
    together.forEach(({ bins, values }, head) => {
      expect(bins).toBe(5 + 9 + 3);
      expect(
        maxDifference(
          values,
          single.flatMap((scale) => scale[head]!.values),
        ),
      ).toBeLessThan(1e-6);
    });
    expect(featureWidth(resolveNAMMConfig({ ...small, scales: [8, 16, 4] }))).toBe(4 + 17);
  });

  it('are normalised by the statistics of their layer', async () => {
    const rng = Rng.fromSeed(11);
    const rows = attention(rng, 1, 16, 16);
    const key = rng.normalArray([1, 1, 16, 4]);
    const statistics = (seed: number): FeatureStatistics => ({
      mean: Rng.fromSeed(seed).uniformArray([5]).data as Float32Array,
      variance: Rng.fromSeed(seed + 1).uniformArray([5], 0.1, 1).data as Float32Array,
      count: 9,
    });
    const pair = [statistics(20), statistics(30)];
    const update = async (
      layer: number,
      given: FeatureStatistics | FeatureStatistics[],
      perLayer: boolean,
    ) => {
      const options = { ...small, normalise: { perLayer }, bam: { hiddenDim: 6 } };
      const namm = createNAMM({
        ...options,
        parameters: { deviation: 0.6, seed: 6 },
        statistics: given,
        engine,
      });
      const { scores } = await namm.update(layer, { key, value: key }, rows, countUp(1, 16));
      await namm.dispose();
      return scores.data;
    };
    const [first, second] = [await update(0, pair, true), await update(1, pair, true)];
    expect(first).toEqual(await update(0, pair[0]!, false));
    expect(second).toEqual(await update(1, pair[1]!, false));
    expect(maxDifference(first, second)).toBeGreaterThan(0.1);
  });

  it('have statistics that merge in any order', () => {
    const sets = [1, 2, 3].map(
      (seed): FeatureStatistics => ({
        mean: Rng.fromSeed(seed).normalArray([6]).data as Float32Array,
        variance: Rng.fromSeed(seed + 9).uniformArray([6]).data as Float32Array,
        count: 5 * seed ** 3,
      }),
    );
    const [a, b, c] = sets as [FeatureStatistics, FeatureStatistics, FeatureStatistics];
    const orders = [
      mergeStatistics(mergeStatistics(a, b), c),
      mergeStatistics(a, mergeStatistics(b, c)),
      mergeStatistics(mergeStatistics(c, a), b),
    ];
    for (const { mean, variance, count } of orders) {
      expect(count).toBe(5 + 40 + 135);
      expect(maxDifference(mean, orders[0]!.mean)).toBeLessThan(1e-6);
      expect(maxDifference(variance, orders[0]!.variance)).toBeLessThan(1e-6);
    }
  });
});

describe('a policy on models of other shapes', () => {
  it.each([
    ['one layer, one head', { layers: 1, heads: 1, keyValueHeads: 1 }],
    ['three layers, eight heads of half the width', { layers: 3, heads: 8, keyValueHeads: 4 }],
  ])('keeps what it would keep there had it been made for them: %s', async (_name, shape) => {
    const { model, params } = livelyTransformer(shape);
    const { config, vector } = smallNamm();
    const read = async (managed: ReturnType<typeof manageTransformer>) => {
      const kept: number[][] = [];
      const reader = managed.compile(engine, params);
      const onUpdate = ({ layers }: UpdateReport) => {
        for (const layer of layers) kept.push([...layer.kept.data], [...layer.lengths.data]);
      };
      const reading = reader.read(1, { onUpdate });
      (await reading.read(texts(1, 40, 5))).dispose();
      await reading.dispose();
      await reader.dispose();
      return kept;
    };
    const moved = await read(transferNamm({ config, parameters: vector, statistics: undefined }, model));
    const policy = nammPolicy(config, { vectors: [vector] });
    const made = await read(manageTransformer(model, policy, { updateInterval: 16, maxTokensPerForward: 8 }));
    expect(moved).toEqual(made);
    expect(moved).toHaveLength(2 * 2 * shape.layers);
  });
});
