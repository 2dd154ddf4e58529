import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll } from 'vitest';

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A folder of golden cases: objects become JSON files, tensors of the same name a safetensors file. */
export function goldenFolder(
  cases: Record<string, { json: unknown; tensors?: Record<string, SafeTensor> } | string>,
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

interface SafeTensor {
  readonly dtype: 'F32';
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

function encodeSafetensors(tensors: Record<string, SafeTensor>): Buffer {
  let offset = 0;
  const header = Object.fromEntries(
    Object.entries(tensors).map(([name, { dtype, shape, data }]) => {
      const start = offset;
      offset += data.byteLength;
      return [name, { dtype, shape, data_offsets: [start, offset] }];
    }),
  );
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, ...Object.values(tensors).map(({ data }) => Buffer.from(data.buffer))]);
}
