import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ParityCase, ParityOutput, ParityTensor } from '../src/index.js';

const folder = fileURLToPath(new URL('./golden/', import.meta.url));

/** Every golden case of this package. */
export function goldenCases(): ParityCase[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .map((name) => ({
      name,
      folder,
      json: JSON.parse(readFileSync(`${folder}${name}.json`, 'utf8')),
      tensors: readTensors(`${folder}${name}.safetensors`),
    }));
}

function readTensors(path: string): Map<string, ParityTensor> {
  const bytes = readFileSync(path);
  const headerLength = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerLength)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const tensors = new Map<string, ParityTensor>();
  for (const [name, { dtype, shape, data_offsets: offsets }] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const data = Uint8Array.from(
      bytes.subarray(8 + headerLength + offsets[0], 8 + headerLength + offsets[1]),
    ).buffer;
    tensors.set(name, {
      dtype,
      shape,
      data: dtype === 'I32' ? new Int32Array(data) : new Float32Array(data),
    });
  }
  return tensors;
}

/** Says how an output misses its tolerance, or nothing. */
export function miss(output: ParityOutput): string | undefined {
  const { name, actual, expected, atol, rtol, exact } = output;
  if (typeof actual === 'string' || typeof expected === 'string') {
    return actual === expected ? undefined : `${name}: '${String(actual)}' instead of '${String(expected)}'`;
  }
  if (actual.length !== expected.length)
    return `${name}: ${actual.length} values instead of ${expected.length}`;
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i]!, expected[i]!];
    const allowed = exact ? 0 : atol + rtol * Math.abs(e);
    if (a !== e && !(Math.abs(a - e) <= allowed)) return `${name}[${i}]: ${a} instead of ${e} ± ${allowed}`;
  }
  return undefined;
}
