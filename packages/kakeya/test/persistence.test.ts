import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodeSafetensors } from '@palimpsest/base';
import { describe, expect, it } from 'vitest';
import { CompressedStore, KakeyaError, KakeyaRegistry, Random, rowOf, SingleSetCodec } from '../src/index.js';
import { lowRank, relativeError } from './vectors.js';

const rows = lowRank(120, 64, 6, 0.1, 1);
const folder = () => mkdtempSync(join(tmpdir(), 'kakeya-'));
const entries = (n: number) => Array.from({ length: n }, (_, i) => [i, rowOf(rows, i)] as const);

function codec(n = 40): SingleSetCodec {
  const result = new SingleSetCodec({ dLLM: 64 });
  result.build(entries(n));
  return result;
}

describe('single-set codec', () => {
  it('waits for enough entries, then encodes them all and later ones', () => {
    const early = new SingleSetCodec({ dLLM: 64 });
    expect(early.build([...entries(7), ['x', null]])).toBe(false);
    expect(() => early.encodeEntry(1, rowOf(rows, 1))).toThrow(/no skeleton yet/);
    expect(early.getStats()).toMatchObject({ sem_entries: 0, compressed_bytes: 0, compression_ratio: 0 });
    expect(early.build([...entries(8), ['x', null]])).toBe(true);
    early.encodeEntry('later', rowOf(rows, 50));
    expect(early.ids).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 'later']);
    expect(relativeError(rowOf(rows, 3), early.decode(3)!)).toBeLessThan(0.2);
    expect(early.decode('nobody')).toBeNull();
  });

  it('counts bytes by the formula, also after an entry is removed', () => {
    const one = codec(20);
    const { dEff, K } = one.skeleton!;
    const skeleton = 4 * (dEff * 64 + 64 + dEff + K * dEff);
    expect(one.getStats().compressed_bytes).toBe(skeleton + 20 * 52);
    expect(one.removeEntry(4)).toBe(true);
    expect(one.removeEntry(4)).toBe(false);
    expect(one.decodeSem(4)).toBeNull();
    expect(one.getStats()).toMatchObject({
      sem_entries: 19,
      original_bytes: 4 * 64 * 19,
      compressed_bytes: skeleton + 19 * 52,
      totalEncoded: 20,
      skeletonBuilds: 1,
    });
  });

  it('decodes the same numbers after save and load', async () => {
    const path = join(folder(), 'codec.safetensors');
    const one = codec();
    one.encodeEntry('named', rowOf(rows, 70));
    await one.save(path);
    const two = new SingleSetCodec({ dLLM: 64 });
    await two.load(path);
    expect(two.getStats()).toEqual(one.getStats());
    for (const id of one.ids) expect(two.decode(id)).toEqual(one.decode(id));
    await expect(new SingleSetCodec({ dLLM: 65 }).load(path)).rejects.toThrow(/width 64, this codec 65/);
  });

  it('refuses a bad vector and keeps its state', () => {
    const one = codec();
    const before = one.decode(5);
    const bad = [...entries(20), [99, new Float64Array(64).fill(Number.NaN)] as const];
    expect(() => one.build(bad)).toThrow(/entry 99 has NaN/);
    expect(() => one.encodeEntry(5, new Float64Array(63))).toThrow(/63 numbers where 64/);
    expect(one.decode(5)).toEqual(before);
    expect(() => new SingleSetCodec({ K: 1 })).toThrow(/kakeyaK/);
  });
});

describe('compressed store', () => {
  const cosine = (a: ArrayLike<number>, b: ArrayLike<number>) => {
    const dot = Array.from(a).reduce((sum, x, i) => sum + x * b[i]!, 0);
    return dot / (Math.hypot(...Array.from(a)) * Math.hypot(...Array.from(b)));
  };

  it('compresses itself after eight entries, with ratio above 1 and small cosine errors', () => {
    const store = new CompressedStore({ dimension: 64 });
    for (let i = 0; i < 7; i++) store.set(i, rowOf(rows, i));
    expect(store.isCompressed).toBe(false);
    expect([...store.get(3)!]).toEqual([...Float32Array.from(rowOf(rows, 3))]);
    for (let i = 7; i < 10; i++) store.set(i, rowOf(rows, i));
    expect(store.isCompressed).toBe(true);
    expect(store.stats().ratio).toBeGreaterThan(1);
    for (let i = 10; i < 100; i++) store.set(i, rowOf(rows, i));
    const errors = store.keys().map((id) => 1 - cosine(rowOf(rows, id as number), store.get(id)!));
    expect(errors.reduce((a, b) => a + b, 0) / errors.length).toBeLessThan(0.05);
    expect(Math.max(...errors)).toBeLessThan(0.1);
    expect(store.size).toBe(100);
  });

  it('encodes a changed entry again, forgets a deleted one and survives a refresh', () => {
    const store = new CompressedStore({ dimension: 64 });
    for (let i = 0; i < 30; i++) store.set(i, rowOf(rows, i));
    store.set(4, rowOf(rows, 44));
    expect(relativeError(rowOf(rows, 44), store.get(4)!)).toBeLessThan(0.3);
    expect(store.delete(5)).toBe(true);
    expect(store.delete(5)).toBe(false);
    expect(store.get(5)).toBeNull();
    store.refresh();
    expect(store.size).toBe(29);
    expect(store.has(5)).toBe(false);
    expect(relativeError(rowOf(rows, 44), store.get(4)!)).toBeLessThan(0.3);
    expect(() => store.set(6, new Float64Array(64).fill(Infinity))).toThrow(/Infinity/);
    expect(store.size).toBe(29);
  });

  it.each([5, 60])('with %i entries is the same after save and load', async (n) => {
    const path = join(folder(), 'model');
    const store = new CompressedStore({ dimension: 64, bytesPerVec: 20 });
    for (let i = 0; i < n; i++) store.set(`id${i}`, rowOf(rows, i));
    expect(await store.save(path)).toBe(`${path}.kakeya`);
    const again = await CompressedStore.load(path);
    expect(again.keys()).toEqual(store.keys());
    for (const id of store.keys()) expect(again.get(id)).toEqual(store.get(id));
    for (const one of [store, again]) for (let i = n; i < n + 20; i++) one.set(`id${i}`, rowOf(rows, i));
    for (const id of store.keys()) expect(again.get(id)).toEqual(store.get(id));
  });
});

describe('files', () => {
  it('of half floats are read that an earlier version wrote, whose checksum was of single ones', async () => {
    const path = fileURLToPath(new URL('fixtures/half-floats-widened', import.meta.url));
    const again = new CompressedStore({ dimension: 16, skeletonDtype: 'f16' });
    for (let i = 0; i < 16; i++) again.set(i, new Random(i).normals(16));
    expect((await CompressedStore.load(path)).get(3)).toEqual(again.get(3));
    const torn = readFileSync(`${path}.kakeya`);
    torn[torn.length - 5]! ^= 1;
    const copy = join(folder(), 'torn');
    writeFileSync(`${copy}.kakeya`, torn);
    await expect(CompressedStore.load(copy)).rejects.toThrow(/torn/);
  });

  it('torn at any length or with any byte changed are refused by name, and the codec stays as it was', async () => {
    const path = join(folder(), 'codec.safetensors');
    const one = codec();
    await one.save(path);
    const whole = readFileSync(path);
    const stats = one.getStats();
    const random = new Random(3);
    const cuts = [
      0,
      1,
      7,
      8,
      9,
      whole.length - 1,
      ...Array.from({ length: 60 }, () => random.integer(whole.length)),
    ];
    for (const cut of cuts) {
      writeFileSync(path, whole.subarray(0, cut));
      await expect(one.load(path)).rejects.toThrow(/codec\.safetensors/);
    }
    for (let i = 0; i < 200; i++) {
      const changed = Buffer.from(whole);
      const at = random.integer(whole.length);
      changed[at] = changed[at]! ^ (1 + random.integer(255));
      writeFileSync(path, changed);
      const outcome = await one.load(path).then(
        () => 'loaded',
        (error: unknown) => error,
      );
      // A changed name or shape may still be caught further on, but always as bad input.
      expect(outcome).toBeInstanceOf(KakeyaError);
    }
    expect({ ...one.getStats(), totalDecoded: 0 }).toEqual({ ...stats, totalDecoded: 0 });
    expect(one.decode(3)).toEqual(codec().decode(3));
  });

  it('of another kind, format or version are refused by name', async () => {
    const where = folder();
    const path = join(where, 'file');
    await codec().save(path);
    await expect(KakeyaRegistry.load(path)).rejects.toThrow(/file holds a single-set-codec, not a registry/);
    writeFileSync(path, encodeSafetensors({}, {}));
    await expect(KakeyaRegistry.load(path)).rejects.toThrow(/not written by this package/);
    writeFileSync(path, 'hello, I am a text file and nothing more');
    await expect(KakeyaRegistry.load(path)).rejects.toThrow(/file is not a safetensors file, or is cut off/);
    const metadata = {
      format: 'palimpsest-kakeya',
      version: '2',
      kind: 'registry',
      json: '{}',
      checksum: '0',
    };
    writeFileSync(path, encodeSafetensors({}, metadata));
    await expect(KakeyaRegistry.load(path)).rejects.toThrow(/format version 2/);
    await expect(KakeyaRegistry.load(join(where, 'nothing'))).rejects.toThrow(/There is no file .*nothing/);
    await expect(CompressedStore.load(join(where, 'nothing'))).rejects.toThrow(
      /There is no file .*nothing\.kakeya/,
    );
  });

  it('stay readable when the disk refuses a write, and nothing is left behind', async () => {
    const where = folder();
    const path = join(where, 'codec.safetensors');
    const one = codec();
    await one.save(path);
    // A folder in the way of the final name makes the rename fail after the whole file was written.
    mkdirSync(join(where, 'taken'));
    writeFileSync(join(where, 'taken', 'inside'), 'x');
    await expect(one.save(join(where, 'taken'))).rejects.toThrow(/taken' cannot be written/);
    await expect(one.save(join(where, 'missing', 'codec'))).rejects.toThrow(/cannot be written/);
    expect(readdirSync(where).sort()).toEqual(['codec.safetensors', 'taken']);
    await new SingleSetCodec({ dLLM: 64 }).load(path);
    rmSync(where, { recursive: true });
  });

  it('hold the old or the new version whenever the writer is killed', async () => {
    const where = folder();
    const path = join(where, 'codec.safetensors');
    await codec(40).save(path);
    const built = new URL('../dist/index.js', import.meta.url).href;
    const loop = `
      const { SingleSetCodec, Random } = await import(${JSON.stringify(built)});
      const versions = [300, 600].map((n) => {
        const codec = new SingleSetCodec({ dLLM: 64 });
        codec.build(Array.from({ length: n }, (_, i) => [i, new Random(i).normals(64)]));
        return codec;
      });
      await versions[0].save(${JSON.stringify(path)});
      process.stdout.write('ready');
      for (let i = 1; ; i++) await versions[i % 2].save(${JSON.stringify(path)});`;
    const seen = new Set<number>();
    for (let round = 0; round < 6; round++) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', loop], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await new Promise((resolve) => child.stdout.once('data', resolve));
      await new Promise((resolve) => setTimeout(resolve, 20 + 17 * round));
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
      const again = new SingleSetCodec({ dLLM: 64 });
      await again.load(path);
      seen.add(again.ids.length);
      expect([40, 300, 600]).toContain(again.ids.length);
      expect(again.decode(7)).toHaveLength(64);
    }
    expect([...seen].some((n) => n > 40)).toBe(true);
  });
});
