import { ndarray, Rng } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { directionBytes, directionsFrom } from '../src/conversation/direction-codes.js';
import { learnPrediction, RowPrediction } from '../src/conversation/row-prediction.js';

const rng = Rng.fromSeed(5);
const normals = (count: number) => Float32Array.from({ length: count }, () => rng.normal());
const unit = (width: number) => {
  const values = normals(width);
  const length = Math.hypot(...values);
  return values.map((value) => value / length);
};

describe('directions', () => {
  const form = { directionDtype: 'int8', dTime: 8, dTopic: 48, dCtx: 12 } as const;
  const directions = { time: unit(8), topic: unit(48), ctx: unit(12) };

  it('take a byte per number, are hardly turned, and come back from their bytes the same', () => {
    const bytes = directionBytes(directions, form);
    expect(bytes.length).toBe(68);
    const back = directionsFrom(bytes, form);
    for (const bundle of ['time', 'topic', 'ctx'] as const) {
      const cosine = back[bundle].reduce((sum, value, i) => sum + value * directions[bundle][i]!, 0);
      expect(cosine).toBeGreaterThan(0.9995);
      expect(Math.hypot(...back[bundle])).toBeCloseTo(1, 6);
    }
    expect(directionBytes(back, form)).toEqual(bytes);
  });

  it('are exact in float32', () => {
    const exact = { ...form, directionDtype: 'f32' } as const;
    expect(directionsFrom(directionBytes(directions, exact), exact)).toEqual(directions);
  });
});

describe('what tokens tell of their keys and values', () => {
  /** Rows that are linear in a token and in the one before it. */
  function linearRows(modelWidth: number, vocabulary: number, rank: number) {
    const width = 6;
    const factors = normals(vocabulary * rank);
    const mixing = Float32Array.from({ length: rank * modelWidth }, (_, at) =>
      rank === modelWidth ? Number(at % (modelWidth + 1) === 0) : rng.normal(),
    );
    const embeddings = ndarray(
      Float32Array.from({ length: vocabulary * modelWidth }, (_, at) => {
        const [id, i] = [Math.floor(at / modelWidth), at % modelWidth];
        let sum = 0;
        for (let k = 0; k < rank; k++) sum += factors[id * rank + k]! * mixing[k * modelWidth + i]!;
        return sum;
      }),
      [vocabulary, modelWidth],
    );
    const [own, before] = [normals(rank * width), normals(rank * width)];
    const tokens = Array.from({ length: 200 }, () => ({
      ids: Array.from({ length: 6 }, () => rng.int(vocabulary)),
      places: [0, 2, 3, 5],
    }));
    const rows = tokens.flatMap(({ ids, places }) =>
      places.flatMap((place) =>
        Array.from({ length: width }, (_, column) => {
          let sum = 0.5;
          for (let k = 0; k < rank; k++) {
            sum += factors[ids[place]! * rank + k]! * own[k * width + column]!;
            if (place > 0) sum += factors[ids[place - 1]! * rank + k]! * before[k * width + column]!;
          }
          return sum;
        }),
      ),
    );
    return { embeddings, tokens, rows: ndarray(Float32Array.from(rows), [rows.length / width, width]) };
  }

  const share = ({ embeddings, tokens, rows }: ReturnType<typeof linearRows>, context: number) => {
    const half = tokens.length / 2;
    const learned = ndarray(rows.data.slice(0, rows.data.length / 2), [rows.shape[0]! / 2, rows.shape[1]!]);
    const maps = learnPrediction(embeddings, learned, tokens.slice(0, half), context);
    const predicted = new RowPrediction(maps, embeddings).rowsOf(tokens.slice(half));
    const rest = rows.data.slice(rows.data.length / 2);
    const left = predicted.map((value, i) => value - rest[i]!);
    return { left: (Math.hypot(...left) / Math.hypot(...rest)) ** 2, maps };
  };

  it('is learned where it is linear, and needs the tokens before', () => {
    const made = linearRows(8, 40, 8);
    expect(share(made, 2).left).toBeLessThan(1e-3);
    expect(share(made, 1).left).toBeGreaterThan(0.1);
  });

  it('is read along few directions of wide embeddings', () => {
    const { left, maps } = share(linearRows(160, 60, 6), 2);
    expect(maps.reading!.shape[0]).toBeLessThanOrEqual(128);
    expect(left).toBeLessThan(1e-2);
  });

  it('is the same however often and in whatever order it is asked', () => {
    const { embeddings, tokens, rows } = linearRows(8, 40, 8);
    const prediction = new RowPrediction(learnPrediction(embeddings, rows, tokens, 3), embeddings);
    const all = prediction.rowsOf(tokens.slice(0, 3));
    const apart = tokens
      .slice(0, 3)
      .toReversed()
      .map((one) => [...prediction.rowsOf([one])]);
    expect(apart.toReversed().flat()).toEqual([...all]);
  });
});
