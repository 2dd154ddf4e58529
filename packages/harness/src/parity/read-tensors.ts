import { readFileSync } from 'node:fs';
import { InputError } from '@palimpsest/tensor-core';
import type { ParityTensor } from './types.js';

const ARRAYS = { F32: Float32Array, I32: Int32Array } as const;

/** Reads the F32 and I32 tensors of a golden file. @throws InputError for a torn or foreign file. */
export function readTensors(path: string): Map<string, ParityTensor> {
  const bytes = readFileSync(path);
  const headerLength = bytes.length >= 8 ? Number(bytes.readBigUInt64LE(0)) : Number.POSITIVE_INFINITY;
  if (headerLength > bytes.length - 8) throw new InputError(`'${path}' is not a complete safetensors file.`);
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerLength)) as Record<
    string,
    { dtype: keyof typeof ARRAYS; shape: number[]; data_offsets: [number, number] }
  >;
  return new Map(
    Object.entries(header)
      .filter(([name]) => name !== '__metadata__')
      .map(([name, { dtype, shape, data_offsets }]) => {
        const [from, to] = data_offsets.map((offset) => offset + 8 + headerLength) as [number, number];
        const data = new ARRAYS[dtype](Uint8Array.from(bytes.subarray(from, to)).buffer);
        return [name, { dtype, shape, data }];
      }),
  );
}
