import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TrellisStates } from '../src/coders/trellis.js';
import { CompressedIndex, KakeyaSet, Random, rowOf, TransformCoder, TrellisCoder } from '../src/index.js';
import { dot } from '../src/linalg/matrix.js';
import { PackedRows } from '../src/search/code-rows.js';
import { addScores, type LookUp, type ScorePlan } from '../src/search/row-scores.js';
import { lowRank } from './vectors.js';

const random = new Random(11);

/** Look-ups of one or two components over random bits, with or without code bits of a trellis. */
function drawnPlan(width: number, hasPath: boolean): { plan: ScorePlan; weights: Float64Array } {
  const lookUps: LookUp[] = [];
  for (let first = 0; first < 40; first += 2) {
    const [codes, bits] = [hasPath ? 2 : 0, random.integer(4)];
    const terms = [bits >> 1, bits - (bits >> 1)].map((own, j) => {
      return { levels: random.normals(1 << (own + (hasPath ? 2 : 0))), weight: first + j };
    });
    const entries = 1 << (bits + 2 * codes);
    const order = hasPath ? Uint16Array.from({ length: entries }, (_, k) => entries - 1 - k) : null;
    lookUps.push({ position: 60 + random.integer(8 * width - 80), width: bits, codes, first, terms, order });
  }
  lookUps.push({
    position: 8 * width - 9,
    width: 9,
    codes: 0,
    first: 0,
    terms: [{ levels: random.normals(512), weight: 0 }],
    order: null,
  });
  return {
    plan: { lookUps, path: hasPath ? { position: 5, taps: [0b100000001, 0b11010011] } : null },
    weights: random.normals(40),
  };
}

describe('sums of look-ups', () => {
  it.each([
    [1, false],
    [7, true],
    [257, false],
    [1000, true],
  ])('%i rows: the kernel adds what plain loops add', (count, hasPath) => {
    const width = 23;
    const rows = new PackedRows(width);
    for (let row = 0; row < count; row++) {
      const at = rows.place(row);
      for (let i = 0; i < width; i++) rows.bytes[at + i] = random.integer(256);
    }
    const { plan, weights } = drawnPlan(width, hasPath);
    const [ours, plain] = [new Float64Array(count).fill(0.5), new Float64Array(count).fill(0.5)];
    addScores(rows, plan, weights, ours);
    addScores(rows, plan, weights, plain, null);
    expect(ours).toEqual(plain);
  });
});

const rows = lowRank(300, 90, 60, 0.2, 5);
const axis = new Random(6).normals(90);

/** Scores of the packed codes must be the products of the query with the decoded codes. */
function expectScores(coder: TrellisCoder | TransformCoder, seed: number): void {
  const codes = coder.encodeRows(rows);
  const packed = coder.rows();
  codes.forEach((code, row) => {
    packed.set(row, code);
  });
  const query = new Random(seed).normals(90);
  const score = coder.scorer(query);
  const decoded = coder.decodeRows(codes);
  packed.scores(query, codes.length).forEach((value, row) => {
    const exact = dot(rowOf(decoded, row), query);
    expect(Math.abs(value - exact)).toBeLessThan(1e-5 * Math.max(1, Math.abs(exact)));
    expect(Math.abs(value - score(codes[row]!))).toBeLessThan(1e-10 * Math.max(1, Math.abs(exact)));
  });
}

describe('scores of packed codes', () => {
  it('are those of the decoded vectors for every number of states, size and number of centers', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<TrellisStates>(4, 8, 16, 32, 64, 128, 256),
        fc.integer({ min: 3, max: 70 }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer(),
        (states, bytesPerVec, k, seed) => {
          expectScores(TrellisCoder.train(rows, axis, { bytesPerVec, k, states }), seed);
          expectScores(TransformCoder.train(rows, axis, { bytesPerVec: bytesPerVec + 2, k }), seed);
        },
      ),
      { numRuns: 12, seed: 1 },
    );
  }, 60_000);

  it('survive replacement and removal', () => {
    const set = new KakeyaSet(0, 'ctx', ['f'], { bytesPerVec: 20 });
    set.build(rows, axis);
    const index = new CompressedIndex(set);
    const records = set.encodeBatch(rows);
    records.forEach((record, i) => {
      index.add(i, record);
    });
    for (let i = 0; i < 150; i++) index.remove(2 * i);
    index.add(7, records[8]!);
    const query = rowOf(rows, 41);
    const scores = index.scores(query);
    index.ids.forEach((id, row) => {
      const decoded = set.decode(records[id === 7 ? 8 : id]!);
      const exact = dot(decoded, query);
      expect(Math.abs(scores[row]! - exact)).toBeLessThan(1e-5 * Math.max(1, Math.abs(exact)));
    });
    expect(index.size).toBe(150);
  });
});
