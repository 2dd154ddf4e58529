import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  IncrementalPca,
  KakeyaError,
  KakeyaRegistry,
  KakeyaSet,
  kakeyaConfig,
  type Matrix,
  matrix,
  presets,
  Random,
  rowOf,
} from '../src/index.js';
import { axes, memories, memoryAt } from './memories.js';
import { gaussian } from './vectors.js';

const bad = fc.constantFrom(Number.NaN, Infinity, -Infinity);

function spoiled(m: Matrix, at: number, value: number): Matrix {
  const data = Float64Array.from(m.data);
  data[at % data.length] = value;
  return matrix(m.rows, m.cols, data);
}

/** Runs something that must be refused with the package's own error. */
function refusal(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(KakeyaError);
    return (error as Error).message;
  }
  throw new Error('nothing was refused');
}

describe('a registry', () => {
  const good = memories(40, 1);
  const registry = new KakeyaRegistry({ bytesPerVec: 24 });
  registry.build(good.fields, axes, { baseCoords: good.base });
  const handle = registry.encodeMemoryFields(memoryAt(good, 0));
  const picture = () =>
    JSON.stringify([registry.epoch, registry.stats(), registry.decodeField(handle, 'semantic_emb')]);

  it('refuses a bad number anywhere in a build, naming field and row, and keeps the old build', () => {
    const before = picture();
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(good.fields)), fc.nat(), bad, (field, at, value) => {
        const m = good.fields[field]!;
        const fields = { ...good.fields, [field]: spoiled(m, at, value) };
        const row = Math.floor((at % m.data.length) / m.cols);
        expect(refusal(() => registry.build(fields, axes))).toContain(`Field ${field}: row ${row},`);
      }),
      { numRuns: 30 },
    );
    expect(picture()).toBe(before);
  });

  it('refuses a bad number anywhere in a memory and takes nothing from it', () => {
    const before = picture();
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(good.fields)), fc.nat(), bad, (field, at, value) => {
        const memory = memoryAt(good, 1);
        memory[field]![at % memory[field]!.length] = value;
        expect(refusal(() => registry.encodeMemoryFields(memory))).toContain(field);
      }),
      { numRuns: 30 },
    );
    expect(refusal(() => registry.encodeMemoryFields({ semantic_emb: new Float64Array(5) }))).toMatch(
      /5 columns where 96/,
    );
    expect(picture()).toBe(before);
  });

  it('refuses axes of another width, unequal row counts and maps of another width', () => {
    const before = picture();
    expect(refusal(() => registry.build(good.fields, { ...axes, time: new Float64Array(9) }))).toMatch(
      /dTime.*9 numbers where 8/,
    );
    const uneven = { ...good.fields, content_wte_mean: memories(41, 2).fields.content_wte_mean! };
    expect(refusal(() => registry.build(uneven, axes))).toMatch(/41 rows where semantic_emb has 40/);
    const maps = { 'time::semantic_emb': gaussian(8, 95, 1) };
    expect(refusal(() => registry.build(good.fields, axes, { maps }))).toMatch(
      /95 columns where the fields have 96/,
    );
    const one = Object.fromEntries(
      Object.entries(good.fields).map(([name, m]) => [name, matrix(1, m.cols, rowOf(m, 0))]),
    );
    expect(refusal(() => registry.build(one, axes))).toMatch(/at least 2 rows/);
    const { semantic_emb, content_wte_mean } = good.fields;
    expect(
      refusal(() =>
        registry.encodeMany({
          semantic_emb: semantic_emb!,
          content_wte_mean: matrix(1, 80, rowOf(content_wte_mean!, 0)),
        }),
      ),
    ).toMatch(/40, 1 rows/);
    expect(picture()).toBe(before);
  });
});

describe('a set', () => {
  const coders = ['sparse', 'transform', 'pca-int8', 'pq'] as const;

  it.each(coders)('takes zero rows, duplicates and fewer rows than centers (%s)', (coder) => {
    const axis = new Random(1).normals(8);
    const shapes: Matrix[] = [
      matrix(10, 8, new Float64Array(80)),
      matrix(
        20,
        8,
        Float64Array.from({ length: 160 }, (_, i) => (i % 8) + (Math.floor(i / 8) % 3)),
      ),
      gaussian(3, 8, 2),
      gaussian(40, 8, 3, 1e-20),
      gaussian(40, 8, 4, 1e20),
    ];
    for (const rows of shapes) {
      for (const mode of ['improved', 'parity'] as const) {
        const set = new KakeyaSet(0, 'ctx', ['f'], { coder, mode, bytesPerVec: 8, skeletonDtype: 'f32' });
        set.build(rows, axis);
        const decoded = set.decode(set.encode(rowOf(rows, 0)));
        for (const x of decoded) expect(Number.isFinite(x)).toBe(true);
        const zero = set.encode(new Float64Array(8));
        expect(Number.isFinite(zero.relErr)).toBe(true);
      }
    }
  });

  it.each(coders)('keeps its skeleton when a build is refused (%s)', (coder) => {
    const rows = gaussian(30, 8, 5);
    const set = new KakeyaSet(3, 'time', ['a', 'b'], { coder, bytesPerVec: 8 });
    expect(refusal(() => set.encode(new Float64Array(8)))).toMatch(/set 3 \(a \+ b\) has no skeleton/);
    set.build(rows, rowOf(rows, 0));
    const record = set.encode(rowOf(rows, 1));
    const decoded = set.decode(record);
    fc.assert(
      fc.property(fc.nat(), bad, (at, value) => {
        expect(refusal(() => set.build(spoiled(rows, at, value), rowOf(rows, 0)))).toContain(
          `row ${Math.floor((at % 240) / 8)}`,
        );
      }),
      { numRuns: 20 },
    );
    refusal(() => set.build(rows, new Float64Array(7)));
    refusal(() => set.build(matrix(0, 8), rowOf(rows, 0)));
    refusal(() => set.encode(new Float64Array(9)));
    refusal(() => set.decode({ ...record, setIdx: 2 }));
    expect(set.epoch).toBe(1);
    expect(set.decode(record)).toEqual(decoded);
  });

  it('refuses unknown owners, no fields and options out of range, naming them', () => {
    expect(refusal(() => new KakeyaSet(0, 'space' as 'ctx', ['f']))).toContain('"space"');
    expect(refusal(() => new KakeyaSet(0, 'ctx', []))).toContain('non-empty');
    expect(refusal(() => kakeyaConfig({ kakeyaVarianceRatio: 1.5 }))).toContain('kakeyaVarianceRatio');
    expect(refusal(() => kakeyaConfig({ nKakeyaSets: 1 }))).toContain('nKakeyaSets');
    expect(refusal(() => kakeyaConfig({ kakeyak: 3 } as object))).toContain('kakeyak');
    expect(kakeyaConfig(presets.reference)).toMatchObject({ kakeyaK: 16, kakeyaDRes: 5, coder: 'sparse' });
  });

  it('refuses empty batches and budgets that hold nothing', () => {
    expect(refusal(() => new IncrementalPca().update(matrix(0, 4)))).toContain('0 x 4');
    const rows = gaussian(30, 9, 5);
    const set = (config: object) => new KakeyaSet(0, 'ctx', ['f'], config).build(rows, rowOf(rows, 0));
    expect(refusal(() => set({ quantiser: 'scalar', bytesPerVec: 1 }))).toContain('at least 2');
    expect(refusal(() => set({ coder: 'pq', bytesPerVec: 4 }))).toContain('9 dimensions into 4');
  });
});
