import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll } from 'vitest';
import { encodeSafetensors, type SafeTensor } from '../../src/index.js';

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A folder of golden cases: objects become JSON files, tensors of the same name a safetensors file. */
export function goldenFolder(
  cases: Record<string, { json: unknown; tensors?: Record<string, SafeTensor> | undefined } | string>,
): string {
  const folder = mkdtempSync(join(tmpdir(), 'palimpsest-golden-'));
  folders.push(folder);
  for (const [path, content] of Object.entries(cases)) {
    const target = join(folder, path);
    mkdirSync(dirname(target), { recursive: true });
    if (typeof content === 'string') {
      writeFileSync(target, content);
      continue;
    }
    writeFileSync(`${target}.json`, JSON.stringify(content.json));
    if (content.tensors) writeFileSync(`${target}.safetensors`, encodeSafetensors(content.tensors));
  }
  return folder;
}

/** A float32 vector as a safetensors entry. */
export function vector(...values: number[]): SafeTensor {
  return { dtype: 'F32', shape: [values.length], data: Float32Array.from(values) };
}

/** A vector of whole numbers as a safetensors entry. */
export function integers(...values: number[]): SafeTensor {
  return { dtype: 'I32', shape: [values.length], data: Int32Array.from(values) };
}
