import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeEach, expect, it } from 'vitest';
import type { FrozenMatrix } from '../src/frozen-transformer.js';
import { loadBySize, loadFrozen } from '../src/index.js';
import { openCheckpoint } from '../src/pretrained/open-checkpoint.js';
import { storeWeights } from '../src/pretrained/store-weights.js';
import { WeightStore } from '../src/pretrained/weight-store.js';

const model = fileURLToPath(new URL('./golden/hf/tiny-llama3', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'palimpsest-store-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const before = process.env.PALIMPSEST_CACHE;
beforeEach(() => {
  process.env.PALIMPSEST_CACHE = root;
});
afterEach(() => {
  if (before === undefined) delete process.env.PALIMPSEST_CACHE;
  else process.env.PALIMPSEST_CACHE = before;
});

it('files go with the model, and those of processes that are gone with the next one', async () => {
  const abandoned = join(root, 'palimpsest-weights-999999999-abc');
  const others = [
    join(root, 'palimpsest-weights-notes'),
    join(root, `palimpsest-weights-${process.pid}-abc`),
  ];
  for (const folder of [abandoned, ...others]) mkdirSync(folder);
  const { dispose } = await loadFrozen(model, '16bit');
  expect(existsSync(abandoned)).toBe(false);
  expect(others.every((folder) => existsSync(folder))).toBe(true);
  expect(readdirSync(root)).toHaveLength(3);
  await dispose();
  expect(readdirSync(root)).toHaveLength(2);
  for (const folder of others) rmSync(folder, { recursive: true });
});

it('loading ends at the next piece when it is asked to, and leaves no files', async () => {
  const stopping = new AbortController();
  const done: number[] = [];
  const loading = loadFrozen(model, '8bit', {
    signal: stopping.signal,
    onProgress: (progress) => {
      done.push(progress.done);
      stopping.abort();
    },
  });
  await expect(loading).rejects.toMatchObject({ name: 'AbortError' });
  expect(done).toHaveLength(1);
  expect(readdirSync(root)).toEqual([]);
});

it('large weights are frozen and small ones are numbers, by the size that is asked for', async () => {
  const frozen = await loadBySize(model, 0);
  const widened = await loadBySize(model, 2 ** 30);
  expect('matrixBytes' in frozen && frozen.matrixBytes).toBeGreaterThan(0);
  expect('matrixBytes' in widened).toBe(false);
  if ('dispose' in frozen) await frozen.dispose();
});

it('matrices that a file has as they are used stay there', async () => {
  const { files, plan, config } = await openCheckpoint(model);
  const store = await WeightStore.create();
  const { matrices } = await storeWeights(config, '16bit', plan, files, store);
  const fileOf = (matrix: FrozenMatrix | undefined) =>
    matrix && 'array' in matrix ? dirname(matrix.array.file) : undefined;
  expect(fileOf(matrices.get('blocks.0.output.weight'))).toBe(model);
  expect(fileOf(matrices.get('blocks.0.queryKeyValue.weight'))).toBe(store.folder);
  await files.close();
  await store.dispose();
});

it('a folder that cannot be written is one sentence', async () => {
  const file = join(root, 'file');
  writeFileSync(file, '');
  process.env.PALIMPSEST_CACHE = file;
  await expect(loadFrozen(model, '8bit')).rejects.toThrow(
    `The weights cannot be written to ${file}: a part of the path is a file. Name a folder with more room by the environment variable PALIMPSEST_CACHE, or take fewer bits.`,
  );
});
