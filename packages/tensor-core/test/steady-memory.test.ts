import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const script = fileURLToPath(new URL('./support/steady-memory.mjs', import.meta.url));

test.each(['cpu', 'wasm', 'onnx', 'onnx-web'])(
  '%s: 1,000 steps leave the memory as it was',
  async (engine) => {
    const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', script, engine]);
    const { counts, residentSizes } = JSON.parse(stdout) as {
      counts: number[];
      residentSizes: [number, number];
    };
    expect(counts).toEqual([2]);
    expect(residentSizes[1] / residentSizes[0]).toBeLessThan(1.05);
  },
);
