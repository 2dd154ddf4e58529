import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { QuantisedMatrix, StoredArray } from '@palimpsest/tensor-core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type FrozenPretrained, loadFrozen, type WeightFormat } from '../src/index.js';

const original = fileURLToPath(new URL('./golden/hf/tiny-llama3', import.meta.url));
let root: string;
let model: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'palimpsest-kept-'));
  model = mkdtempSync(join(tmpdir(), 'palimpsest-model-'));
  cpSync(original, model, { recursive: true });
  vi.stubEnv('PALIMPSEST_CACHE', root);
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  for (const folder of [root, model]) rmSync(folder, { recursive: true });
});

const kept = (end: string) =>
  readdirSync(root).filter((name) => name.startsWith('palimpsest-rounded-') && name.endsWith(end));
const only = (end: string) => join(root, kept(end)[0]!);

/** Numbers of all matrices and vectors, and the name of the parameters. */
function contentOf({ matrices, params, parametersId, warnings }: FrozenPretrained) {
  const rows = [...matrices].map(([path, matrix]) =>
    matrix instanceof QuantisedMatrix ? [path, matrix.bits, ...matrix.packed, ...matrix.scales] : [path],
  );
  const others = Object.entries(params).map(([path, { data }]) => [path, ...data]);
  return { rows, others, parametersId, warnings };
}

/** Loads, and says whether weights were rounded. */
async function load(format: WeightFormat = '8bit') {
  const rounding = vi.spyOn(QuantisedMatrix.prototype, 'setRow');
  const loaded = await loadFrozen(model, format);
  const content = contentOf(loaded);
  await loaded.dispose();
  const rounded = rounding.mock.calls.length > 0;
  rounding.mockRestore();
  return { rounded, content };
}

describe('weights that were rounded once', () => {
  it.each(['8bit', '4bit'] as const)(
    'are the same at the next start, which rounds nothing: %s',
    async (format) => {
      const first = await load(format);
      expect(first.rounded).toBe(true);
      const next = await load(format);
      expect(next).toEqual({ ...first, rounded: false });
      expect(readdirSync(root)).toHaveLength(2);
    },
  );

  it('are told apart by format, and not kept where nobody named a folder', async () => {
    await load('8bit');
    expect((await load('4bit')).rounded).toBe(true);
    await load('16bit');
    await load('32bit');
    expect([kept('.json'), kept('.data')].map(({ length }) => length)).toEqual([2, 2]);
    vi.stubEnv('PALIMPSEST_CACHE', '');
    expect((await load('8bit')).rounded).toBe(true);
  });

  it('are made anew when the files of the model have changed', async () => {
    const file = join(model, 'model.safetensors');
    const { content } = await load();
    const bytes = readFileSync(file);
    const { mtime } = statSync(file);
    // Within the first values of the last tensor: size and time say nothing.
    const header = 8 + Number(bytes.readBigUInt64LE(0));
    bytes.writeFloatLE(bytes.readFloatLE(header) + 1, header);
    writeFileSync(file, bytes);
    utimesSync(file, mtime, mtime);
    const changed = await load();
    expect(changed.rounded).toBe(true);
    expect(changed.content.parametersId).not.toBe(content.parametersId);
    utimesSync(file, new Date(0), new Date(0));
    expect((await load()).rounded).toBe(true);
    expect((await load()).rounded).toBe(false);
  });

  it.each([
    ['a byte of them is another', () => flip(only('.data'), 1000)],
    ['they are cut off', () => truncateSync(only('.data'), 4096)],
    ['they are gone', () => rmSync(only('.data'))],
    ['the note beside them is no JSON', () => writeFileSync(only('.json'), '{')],
    [
      'the note says another place',
      () =>
        writeFileSync(
          only('.json'),
          readFileSync(only('.json'), 'utf8').replace('"packed":4096', '"packed":8192'),
        ),
    ],
  ])('are made anew when %s', async (_, damage) => {
    const first = await load();
    damage();
    expect(await load()).toEqual(first);
    expect(await load()).toEqual({ ...first, rounded: false });
  });

  it('stay for whoever uses them when they are removed', async () => {
    const first = await load();
    const loaded = await loadFrozen(model, '8bit');
    for (const end of ['.json', '.data']) rmSync(only(end));
    expect(contentOf(loaded)).toEqual(first.content);
    await loaded.dispose();
    expect(readdirSync(root)).toEqual([]);
  });

  it('are loaded where they cannot be kept', async () => {
    const read = vi.spyOn(StoredArray.prototype, 'read');
    writeFileSync(join(root, 'full'), '');
    const { content } = await load();
    for (const end of ['.json', '.data']) rmSync(only(end));
    const fs = process.getBuiltinModule('node:fs').promises;
    vi.spyOn(fs, 'link').mockRejectedValue(new Error('no links here'));
    expect((await load()).content).toEqual(content);
    expect(existsSync(join(root, 'full'))).toBe(true);
    expect(kept('')).toEqual([]);
    expect(read).toHaveBeenCalled();
  });
});

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at]! ^= 1;
  writeFileSync(path, bytes);
}
