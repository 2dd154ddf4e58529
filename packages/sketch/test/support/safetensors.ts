import { readFileSync } from 'node:fs';
import type { ParityTensor } from '../../src/index.js';

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/** F32 and I32 tensors of a safetensors file. */
export function readTensors(path: string): Map<string, ParityTensor> {
  const bytes = readFileSync(path);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, start)) as Record<string, Entry>;
  const tensors = new Map<string, ParityTensor>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const [begin, end] = entry.data_offsets;
    // A copy, because a typed array's view must start at a multiple of four.
    const { buffer } = Uint8Array.from(bytes.subarray(start + begin, start + end));
    const data = entry.dtype === 'I32' ? new Int32Array(buffer) : new Float32Array(buffer);
    tensors.set(name, { dtype: entry.dtype, shape: entry.shape, data });
  }
  return tensors;
}
