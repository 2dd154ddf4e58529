import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { createEngine } from '../src/index.js';

const BINARY = 'tfjs-backend-wasm-simd.wasm';

it('the binary of wasm lies where assets says, and what is no binary is refused', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'palimpsest-assets-'));
  const assets = pathToFileURL(folder);
  await expect(createEngine('wasm', { assets })).rejects.toThrow(
    /tfjs-backend-wasm-simd\.wasm cannot be read \(ENOENT.*\); reinstall/,
  );
  writeFileSync(join(folder, BINARY), '<!doctype html>');
  await expect(createEngine('wasm', { assets })).rejects.toThrow(/is no WASM binary\); reinstall/);
  copyFileSync(join(import.meta.dirname, '..', 'vendor', BINARY), join(folder, BINARY));
  const engine = await createEngine('wasm', { assets });
  expect(engine.describe().name).toBe('wasm');
  await engine.dispose();
  rmSync(folder, { recursive: true });
});
