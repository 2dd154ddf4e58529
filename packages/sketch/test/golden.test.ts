import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { type ParityTensor, parityHandlers } from '../src/index.js';

const folder = fileURLToPath(new URL('./golden/', import.meta.url));

/** F32 and I32 tensors of a safetensors file. */
function readTensors(path: string): Map<string, ParityTensor> {
  const bytes = readFileSync(path);
  const headerLength = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerLength)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  return new Map(
    Object.entries(header).map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [begin, end],
        },
      ]) => {
        const { buffer } = new Uint8Array(bytes.subarray(8 + headerLength + begin, 8 + headerLength + end));
        return [
          name,
          { dtype, shape, data: dtype === 'I32' ? new Int32Array(buffer) : new Float32Array(buffer) },
        ];
      },
    ),
  );
}

const names = readdirSync(folder).flatMap((file) => (file.endsWith('.json') ? [file.slice(0, -5)] : []));

describe.each(names)('golden %s', (name) => {
  const json = JSON.parse(readFileSync(`${folder}${name}.json`, 'utf8')) as Record<string, unknown>;
  const tensors = readTensors(`${folder}${name}.safetensors`);
  const handler = parityHandlers.find(({ kind }) => kind === json.kind)!;
  const outputs = handler.run({ name, json, tensors, folder });

  test('covers every output of the case', () => {
    const compared = new Set(outputs.map((output) => output.name));
    expect([...tensors.keys()].filter((key) => key.startsWith('out/') && !compared.has(key))).toEqual([]);
  });

  test.each(outputs.map((output) => [output.name, output] as const))('%s', (_name, output) => {
    const [actual, expected] = [
      Array.from(output.actual as number[]),
      Array.from(output.expected as number[]),
    ];
    if (output.exact) {
      expect(actual).toEqual(expected);
      return;
    }
    expect(actual.length).toBe(expected.length);
    actual.forEach((value, i) => {
      expect(Math.abs(value - expected[i]!)).toBeLessThanOrEqual(
        output.atol + output.rtol * Math.abs(expected[i]!),
      );
    });
  });
});
