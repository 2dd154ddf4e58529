import { InputError } from '@palimpsest/base';
import { describe, expect, it } from 'vitest';
import {
  type BatchSource,
  ContiguousLanes,
  countTargets,
  DocumentLanes,
  type Example,
  lengthBuckets,
  PaddedExamples,
  type PaddedExamplesOptions,
  RandomWindows,
} from '../../src/index.js';

const counting = (length: number) => Int32Array.from({ length }, (_, index) => index);
const rows = (array: { data: ArrayLike<number>; shape: readonly number[] }) => {
  const [count, width] = array.shape as [number, number];
  return Array.from({ length: count }, (_, row) =>
    Array.from(array.data).slice(row * width, (row + 1) * width),
  );
};

function expectSeekToRepeat(make: () => BatchSource) {
  const source = make();
  source.next();
  const cursor = JSON.parse(JSON.stringify(source.cursor()));
  const expected = Array.from({ length: 12 }, () => source.next());
  const other = make();
  for (let i = 0; i < 3; i++) other.next();
  other.seek(cursor);
  expect(Array.from({ length: 12 }, () => other.next())).toEqual(expected);
}

describe('RandomWindows', () => {
  it('draws every window, the last one included, equally often', () => {
    const source = new RandomWindows(counting(10), { batch: 8, time: 4, seed: 3 });
    const starts = new Array<number>(6).fill(0);
    for (let i = 0; i < 750; i++) {
      const { inputs, targets, resets } = source.next();
      expect([...resets.data]).toEqual(new Array(8).fill(1));
      rows(inputs).forEach((row, lane) => {
        starts[row[0]!]! += 1;
        expect(row).toEqual([0, 1, 2, 3].map((offset) => row[0]! + offset));
        expect(rows(targets)[lane]).toEqual(row.map((id) => id + 1));
      });
    }
    expect(starts.reduce((sum, count) => sum + count)).toBe(6000);
    // 1000 expected each; the standard deviation is 29.
    for (const count of starts) expect(Math.abs(count - 1000)).toBeLessThan(120);
  });

  it('takes a text of one window and refuses a shorter one', () => {
    const source = new RandomWindows(counting(5), { batch: 1, time: 4 });
    expect([...source.next().inputs.data]).toEqual([0, 1, 2, 3]);
    expect(() => new RandomWindows(counting(4), { batch: 1, time: 4 })).toThrow('need 5, but the text has 4');
  });

  it('continues where its cursor was taken', () => {
    expectSeekToRepeat(() => new RandomWindows(counting(50), { batch: 3, time: 4, seed: 9 }));
    const windows = new RandomWindows(counting(50), { batch: 3, time: 4 });
    expect(() => windows.seek({ kind: 'contiguous-lanes', position: 1 })).toThrow("'contiguous-lanes'");
  });
});

describe('ContiguousLanes', () => {
  it('cuts every pass elsewhere when it is given a seed, and loses less than a batch', () => {
    const source = new ContiguousLanes(counting(50), { batch: 2, time: 5, shiftSeed: 4 });
    expect(source.batchesPerEpoch).toBe(4);
    const starts = Array.from({ length: 40 }, () => {
      const pass = Array.from({ length: 4 }, () => source.next());
      const [first, second] = [0, 1].map((lane) => pass.flatMap(({ inputs }) => rows(inputs)[lane]!));
      expect(pass.map(({ resets }) => [...resets.data])).toEqual([
        [1, 1],
        [0, 0],
        [0, 0],
        [0, 0],
      ]);
      const start = first![0]!;
      expect(first).toEqual([...counting(20)].map((id) => id + start));
      expect(second).toEqual([...counting(20)].map((id) => id + start + 22));
      return start;
    });
    expect(new Set(starts)).toEqual(new Set([0, 1, 2, 3, 4]));
    expect(() => new ContiguousLanes(counting(14), { batch: 2, time: 5, shiftSeed: 4 })).toThrow(
      'need 15, but the text has 14',
    );
  });

  it('with shifts, continues where its cursor was taken and refuses a cursor of the other kind', () => {
    const shifted = () => new ContiguousLanes(counting(50), { batch: 2, time: 5, shiftSeed: 4 });
    expectSeekToRepeat(shifted);
    const plain = new ContiguousLanes(counting(50), { batch: 2, time: 5 });
    expect(() => shifted().seek(plain.cursor())).toThrow('whose passes are shifted was expected');
    expect(() => plain.seek(shifted().cursor())).toThrow('whose passes are all the same was expected');
  });

  it('reads equal lanes one after the other and begins anew', () => {
    const source = new ContiguousLanes(counting(15), { batch: 2, time: 3 });
    expect(source.batchesPerEpoch).toBe(2);
    const batches = Array.from({ length: 3 }, () => source.next());
    expect(batches.map(({ inputs }) => rows(inputs))).toEqual([
      [
        [0, 1, 2],
        [7, 8, 9],
      ],
      [
        [3, 4, 5],
        [10, 11, 12],
      ],
      [
        [0, 1, 2],
        [7, 8, 9],
      ],
    ]);
    expect(rows(batches[1]!.targets)).toEqual([
      [4, 5, 6],
      [11, 12, 13],
    ]);
    expect(batches.map(({ resets }) => [...resets.data])).toEqual([
      [1, 1],
      [0, 0],
      [1, 1],
    ]);
  });

  it('continues where its cursor was taken, and refuses short texts and foreign cursors', () => {
    expectSeekToRepeat(() => new ContiguousLanes(counting(60), { batch: 2, time: 4 }));
    expect(() => new ContiguousLanes(counting(6), { batch: 2, time: 3 })).toThrow(
      'need 7, but the text has 6',
    );
    const lanes = new ContiguousLanes(counting(20), { batch: 2, time: 3 });
    expect(() => lanes.seek({ kind: 'contiguous-lanes', position: 3 })).toThrow('3 batches');
  });
});

describe('DocumentLanes', () => {
  const ids = counting(20);
  const documentStarts = [0, 5, 6, 14];
  const make = () => new DocumentLanes({ ids, documentStarts }, { batch: 2, time: 3, seed: 1 });

  it('reads every document with a fresh memory, once per epoch, and pads what is left of a batch', () => {
    const source = make();
    const read: number[][] = [];
    const open: (number[] | undefined)[] = [undefined, undefined];
    for (let i = 0; i < 9; i++) {
      const batch = source.next();
      rows(batch.inputs).forEach((row, lane) => {
        const targets = rows(batch.targets)[lane]!;
        const count = targets.filter((target) => target >= 0).length;
        expect(targets.slice(count)).toEqual(new Array(3 - count).fill(-1));
        expect(targets.slice(0, count)).toEqual(row.slice(0, count).map((id) => id + 1));
        if (batch.resets.data[lane] === 1) {
          open[lane] = [];
          read.push(open[lane]!);
        }
        open[lane]!.push(...row.slice(0, count));
      });
      expect(countTargets(batch)).toBe([...batch.targets.data].filter((target) => target >= 0).length);
    }
    // Document 1 has one token and nothing to predict.
    const predictions = [
      [0, 1, 2, 3],
      [6, 7, 8, 9, 10, 11, 12],
      [14, 15, 16, 17, 18],
    ];
    const first = read.slice(0, 3).sort((a, b) => a[0]! - b[0]!);
    expect(first).toEqual(predictions);
    for (const document of read.slice(3, 6)) expect(predictions).toContainEqual(document);
  });

  it('continues where its cursor was taken, and refuses a cursor of another text', () => {
    expectSeekToRepeat(make);
    const other = new DocumentLanes({ ids, documentStarts: [0, 10] }, { batch: 2, time: 3 });
    expect(() => other.seek(make().cursor())).toThrow('2 lanes over 2 documents');
    expect(() => new DocumentLanes({ ids: counting(1), documentStarts: [0] }, { batch: 1, time: 2 })).toThrow(
      'at least two tokens',
    );
  });
});

describe('PaddedExamples', () => {
  const examples: Example[] = [
    { ids: [1, 2, 3] },
    { ids: [4, 5, 6, 7, 8], learnt: [0, 0, 0, 1, 1] },
    { ids: [9, 10], learnt: [true, true] },
    { ids: [11, 12, 13, 14, 15, 16] },
    { ids: [17, 18, 19, 20] },
  ];
  const make = (options: Partial<PaddedExamplesOptions> = {}) =>
    new PaddedExamples(examples, { batch: 2, time: 5, seed: 2, paddingId: 99, ...options });

  it('shows every example once per epoch, padded, with targets only where tokens are learnt', () => {
    const source = make();
    const seen = new Map<number, { inputs: number[]; targets: number[] }>();
    let empty = 0;
    for (let batch = 0; batch < 3; batch++) {
      const { inputs, targets, resets } = source.next();
      expect([...resets.data]).toEqual([1, 1]);
      rows(inputs).forEach((row, lane) => {
        if (row[0] === 99) empty += 1;
        else seen.set(row[0]!, { inputs: row, targets: rows(targets)[lane]! });
      });
    }
    expect(empty).toBe(1);
    expect(Object.fromEntries(seen)).toEqual({
      1: { inputs: [1, 2, 99, 99, 99], targets: [2, 3, -1, -1, -1] },
      4: { inputs: [4, 5, 6, 7, 99], targets: [-1, -1, 7, 8, -1] },
      9: { inputs: [9, 99, 99, 99, 99], targets: [10, -1, -1, -1, -1] },
      11: { inputs: [11, 12, 13, 14, 15], targets: [12, 13, 14, 15, 16] },
      17: { inputs: [17, 18, 19, 99, 99], targets: [18, 19, 20, -1, -1] },
    });
  });

  it('pads to the shortest of the lengths that holds an example', () => {
    const source = make({ lengths: [2, 4] });
    const batches = Array.from({ length: 3 }, () => source.next());
    const shapes = batches.map(({ inputs }) => inputs.shape.join());
    expect([...new Set(shapes)].sort()).toEqual(['2,2', '2,4', '2,5']);
    const total = batches.reduce((sum, batch) => sum + countTargets(batch), 0);
    expect(total).toBe(2 + 2 + 1 + 5 + 3);
  });

  it('draws another order in every epoch, and goes on from a stored place', () => {
    const first = (source: BatchSource) => source.next().inputs.data[0];
    const source = make({ batch: 1 });
    const epochs = Array.from({ length: 4 }, () => Array.from({ length: 5 }, () => first(source)));
    for (const epoch of epochs) expect([...epoch].sort((a, b) => a! - b!)).toEqual([1, 4, 9, 11, 17]);
    expect(new Set(epochs.map(String)).size).toBeGreaterThan(1);
    expectSeekToRepeat(() => make({ lengths: [2] }));
    expect(() => make().seek(make({ batch: 1 }).cursor())).toThrow(/3 batches of 5 examples.*5 batches/);
    expect(() => make().seek({ kind: 'random-windows' })).toThrow(InputError);
  });

  it.each<[string, Example[], Partial<PaddedExamplesOptions>]>([
    ['at least one', [], {}],
    ['Example 0 has 1 tokens', [{ ids: [1] }], {}],
    ["Example 0 has 7 tokens.*raise 'time'", [{ ids: [1, 2, 3, 4, 5, 6, 7] }], {}],
    ['2 marks', [{ ids: [1, 2, 3], learnt: [0, 1] }], {}],
    ['no token behind its first', [{ ids: [1, 2, 3], learnt: [1, 0, 0] }], {}],
    ["'batch'", examples, { batch: 0 }],
    ["'lengths'", examples, { lengths: [2.5] }],
  ])('says what is wrong: %s', (message, list, options) => {
    const build = () => new PaddedExamples(list, { batch: 2, time: 5, ...options });
    expect(build).toThrow(InputError);
    expect(build).toThrow(new RegExp(message));
  });

  it('few lengths serve many texts', () => {
    const lengths = lengthBuckets(256);
    expect(lengths).toEqual([16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256]);
    for (let length = 17; length <= 256; length++) {
      const padded = lengths.find((one) => one >= length)!;
      expect(1 - length / padded).toBeLessThan(0.2);
    }
    expect(lengthBuckets(100, { perDoubling: 1 })).toEqual([16, 32, 64, 100]);
    expect(lengthBuckets(7)).toEqual([7]);
    expect(() => lengthBuckets(0)).toThrow(InputError);
  });
});
