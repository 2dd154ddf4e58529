import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  encodeSafetensors,
  InputError,
  openSharded,
  readSafetensors,
  type SafeTensor,
  SafetensorsFile,
  writeFileAtomically,
  writeSafetensors,
} from '../src/index.js';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'safetensors-'));
});
afterAll(() => rm(folder, { recursive: true }));

const floats = (...values: number[]): SafeTensor => ({
  dtype: 'F32',
  shape: [values.length],
  data: Float32Array.from(values),
});
const tensors = {
  a: floats(1, 2, 3),
  flag: { dtype: 'BOOL', shape: [1], data: Uint8Array.of(1) } as SafeTensor,
  b: floats(-1),
};

describe('writing', () => {
  test('a file is the encoded bytes, and reads back', async () => {
    const path = join(folder, 'plain.safetensors');
    await writeSafetensors(path, tensors, { step: '3' });
    expect(new Uint8Array(await readFile(path))).toEqual(encodeSafetensors(tensors, { step: '3' }));
    const read = await readSafetensors(path);
    expect(read.metadata).toEqual({ step: '3' });
    expect(Object.fromEntries(read.tensors)).toEqual(tensors);
  });

  test('writes at the same time do not mix, and leave no temporary file', async () => {
    const own = await mkdtemp(join(folder, 'atomic-'));
    const path = join(own, 'model.safetensors');
    const versions = Array.from({ length: 8 }, (_, version) => ({
      version: floats(...new Array<number>(5000).fill(version)),
    }));
    await Promise.all(versions.map((version) => writeSafetensors(path, version)));
    const { tensors: read } = await readSafetensors(path);
    expect(new Set(read.get('version')!.data as Float32Array).size).toBe(1);
    expect(await readdir(own)).toEqual(['model.safetensors']);
  });

  test('a failed write keeps the former file', async () => {
    const own = await mkdtemp(join(folder, 'failed-'));
    const path = join(own, 'model.safetensors');
    await writeSafetensors(path, tensors);
    await expect(writeSafetensors(path, { a: { ...floats(1), shape: [2] } })).rejects.toThrow(
      /'a' has shape \[2\]/,
    );
    const unwritable = [
      {
        get length(): number {
          throw new Error('disk full');
        },
      },
    ];
    await expect(writeFileAtomically(path, unwritable as never)).rejects.toThrow(InputError);
    expect([...(await readSafetensors(path)).tensors.keys()]).toEqual(['a', 'flag', 'b']);
    expect(await readdir(own)).toEqual(['model.safetensors']);
  });

  test('a folder that is not there is named', async () => {
    const path = join(folder, 'nowhere', 'model.safetensors');
    await expect(writeSafetensors(path, tensors)).rejects.toThrow(
      `'${path}' cannot be written: there is no such file or folder.`,
    );
  });

  test('text and bytes can be written, too', async () => {
    const path = join(folder, 'config.json');
    await writeFileAtomically(path, '{"a": "ü"}');
    expect(await readFile(path, 'utf8')).toBe('{"a": "ü"}');
    await writeFileAtomically(path, [Uint8Array.of(65), Uint8Array.of(66, 67)]);
    expect(await readFile(path, 'utf8')).toBe('ABC');
  });
});

describe('reading one tensor at a time', () => {
  test('keys, shapes, metadata and values', async () => {
    const path = join(folder, 'stream.safetensors');
    await writeSafetensors(path, tensors, { kind: 'x' });
    const file = await SafetensorsFile.open(path);
    expect(file.keys()).toEqual(['a', 'flag', 'b']);
    expect(file.shape('a')).toEqual([3]);
    expect(file.shape('c')).toBeUndefined();
    expect(file.metadata).toEqual({ kind: 'x' });
    // `b` begins at an odd byte.
    const [b, a] = await Promise.all([file.read('b'), file.read('a')]);
    expect([a, b]).toEqual([tensors.a, tensors.b]);
    await expect(file.read('c')).rejects.toThrow(`${path} has no tensor 'c'.`);
    await file.close();
  });

  test('memory holds the tensor that is read, once, and not the file', async () => {
    const path = join(folder, 'large.safetensors');
    const size = 4 * 2 ** 20;
    const large = { dtype: 'F32', shape: [size], data: new Float32Array(size).fill(3) } as const;
    await writeSafetensors(path, Object.fromEntries(['k', 'l', 'm', 'n'].map((key) => [key, large])));
    const file = await SafetensorsFile.open(path);
    globalThis.gc!();
    const before = process.memoryUsage().arrayBuffers;
    const tensor = await file.read('m');
    const held = process.memoryUsage().arrayBuffers - before;
    expect(tensor.data[size - 1]).toBe(3);
    expect(held).toBeLessThan(1.1 * 4 * size);
    await file.close();
  });

  test('a file that is cut while it is open is named with its tensor', async () => {
    const path = join(folder, 'cut.safetensors');
    await writeSafetensors(path, tensors);
    const file = await SafetensorsFile.open(path);
    await truncate(path, encodeSafetensors(tensors).length - 2);
    await expect(file.read('b')).rejects.toThrow(
      `${path}: 'b' is cut off: the file ended 1 bytes too early.`,
    );
    await file.close();
  });

  test.each([
    ['missing', undefined, /^There is no file .*missing\.safetensors\.$/],
    ['empty', new Uint8Array(0), /empty\.safetensors is empty/],
    [
      'foreign',
      new TextEncoder().encode('{"model": "no tensors here"}'),
      /foreign\.safetensors is not a safetensors file/,
    ],
    [
      'torn',
      encodeSafetensors(tensors).subarray(0, -1),
      /torn\.safetensors is cut off: 'flag' ends at byte 17/,
    ],
  ])('a %s file is refused by name, whole or in parts', async (name, bytes, message) => {
    const path = join(folder, `${name}.safetensors`);
    if (bytes) await writeFile(path, bytes);
    await expect(SafetensorsFile.open(path)).rejects.toThrow(message);
    await expect(readSafetensors(path)).rejects.toThrow(message);
  });
});

describe('models in several files', () => {
  const index = (weightMap: unknown) =>
    JSON.stringify({ metadata: { total_size: 17 }, weight_map: weightMap });

  async function model(weightMap: unknown, text = index(weightMap)): Promise<string> {
    const own = await mkdtemp(join(folder, 'sharded-'));
    await writeSafetensors(join(own, 'model-1.safetensors'), { a: tensors.a });
    await writeSafetensors(join(own, 'model-2.safetensors'), { b: tensors.b, flag: tensors.flag });
    await writeFile(join(own, 'model.safetensors.index.json'), text);
    return own;
  }

  test('an index leads to the file of each tensor', async () => {
    const own = await model({
      a: 'model-1.safetensors',
      b: 'model-2.safetensors',
      flag: 'model-2.safetensors',
    });
    const { files, of } = await openSharded(own);
    expect(files.map(({ path }) => path)).toEqual([
      join(own, 'model-1.safetensors'),
      join(own, 'model-2.safetensors'),
    ]);
    expect(await of.get('b')!.read('b')).toEqual(tensors.b);
    expect(await of.get('a')!.read('a')).toEqual(tensors.a);
    expect(of.get('flag')).toBe(of.get('b'));
    for (const file of files) await file.close();
  });

  test('without an index there is one file', async () => {
    const own = await mkdtemp(join(folder, 'single-'));
    await expect(openSharded(own)).rejects.toThrow(`There is no file ${join(own, 'model.safetensors')}.`);
    await writeSafetensors(join(own, 'model.safetensors'), tensors);
    const { files, of } = await openSharded(own);
    expect([...of.keys()]).toEqual(['a', 'flag', 'b']);
    for (const file of files) await file.close();
  });

  test.each([
    [
      'a tensor in the wrong file',
      { a: 'model-2.safetensors' },
      /index\.json says that 'a' is in model-2\.safetensors, but it is not there/,
    ],
    ['a file that is missing', { a: 'model-3.safetensors' }, /There is no file .*model-3\.safetensors/],
    ['a file outside the folder', { a: '../model-1.safetensors' }, /index\.json is not a safetensors index/],
    ['a number for a file', { a: 1 }, /index\.json is not a safetensors index/],
    ['no map', undefined, /index\.json is not a safetensors index/],
  ])('%s is named', async (_what, weightMap, message) => {
    await expect(openSharded(await model(weightMap))).rejects.toThrow(message);
  });

  test('an index that is not JSON is named', async () => {
    await expect(openSharded(await model({}, 'oops'))).rejects.toThrow(/index\.json is not JSON/);
    await expect(openSharded(await model({}, 'null'))).rejects.toThrow(
      /index\.json is not a safetensors index/,
    );
  });
});

test('temporary files of killed processes are swept by the next write, those of living ones are not', async () => {
  const path = join(folder, 'swept.bin');
  const [dead, alive] = [`${path}.999999999-1.tmp`, `${path}.${process.pid}-999.tmp`];
  const others = [`${path}.elsewhere.999999999-1.tmp`, join(folder, 'other.bin.999999999-1.tmp')];
  for (const file of [dead, alive, ...others]) await writeFile(file, 'x');
  await writeFileAtomically(path, 'whole');
  const left = (await readdir(folder))
    .filter((name) => name.endsWith('.tmp'))
    .map((name) => join(folder, name));
  expect(left.sort()).toEqual([alive, ...others].sort());
  for (const file of left) await rm(file);
});
