import { afterAll, expect, it, vi } from 'vitest';
import * as withKernels from '../src/index.js';
import { lowRank } from './vectors.js';

afterAll(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

it('where there is no WebAssembly, builds, codes and searches give the same numbers', async () => {
  vi.stubGlobal('WebAssembly', undefined);
  vi.resetModules();
  const plain: typeof withKernels = await import('../src/index.js');
  expect((await import('../src/linalg/matrix-kernel.js')).matrixKernels()).toBeUndefined();
  const rows = lowRank(260, 61, 30, 0.3, 8);
  const query = new withKernels.Random(9).normals(61);
  const results = [withKernels, plain].flatMap(({ CompressedIndex, KakeyaSet, presets, Random }) =>
    [
      presets.reference,
      { coder: 'sparse' } as const,
      { bytesPerVec: 20 },
      { quantiser: 'scalar' } as const,
    ].map((config) => {
      const set = new KakeyaSet(0, 'ctx', ['f'], config);
      set.build(rows, new Random(2).normals(61));
      const records = set.encodeBatch(rows);
      const index = new CompressedIndex(set);
      records.forEach((record, id) => {
        index.add(id, record);
      });
      return { records, hits: index.search(query, 20) };
    }),
  );
  expect(results.slice(4)).toEqual(results.slice(0, 4));
});
