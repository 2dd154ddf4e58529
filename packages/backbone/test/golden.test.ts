import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { decodeSafetensors } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { type ParityCase, type ParityTensor, parityHandlers } from '../src/index.js';
import { engines, withEngine } from './helpers.js';

const folder = fileURLToPath(new URL('./golden', import.meta.url));
const names = readdirSync(folder)
  .filter((file) => file.endsWith('.json'))
  .map((file) => file.replace(/\.json$/, ''));

function loadCase(name: string): ParityCase {
  const json = JSON.parse(readFileSync(`${folder}/${name}.json`, 'utf8'));
  const tensors =
    json.kind === 'tokenizers'
      ? new Map<string, ParityTensor>()
      : (decodeSafetensors(readFileSync(`${folder}/${name}.safetensors`)).tensors as ReadonlyMap<
          string,
          ParityTensor
        >);
  return { name, json, tensors, folder };
}

/** The largest |actual − expected| / (atol + rtol |expected|). */
function toleranceUsed(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  atol: number,
  rtol: number,
): number {
  expect(actual.length).toBe(expected.length);
  let used = 0;
  for (let i = 0; i < expected.length; i++) {
    const share = Math.abs(actual[i]! - expected[i]!) / (atol + rtol * Math.abs(expected[i]!));
    used = Number.isNaN(share) ? Number.POSITIVE_INFINITY : Math.max(used, share);
  }
  return used;
}

it('has the golden cases', () => expect(names.length).toBe(4));

describe.each(engines)('on %s', (engineName) => {
  it.each(names)('%s', async (name) => {
    const testCase = loadCase(name);
    const handler = parityHandlers.find(({ kind }) => kind === testCase.json.kind)!;
    const outputs = await withEngine(engineName, async (engine) => handler.run(testCase, { engine }));
    expect(outputs.length).toBeGreaterThan(10);
    for (const { name: output, actual, expected, atol, rtol, exact } of outputs) {
      if (typeof expected === 'string') expect(actual, output).toBe(expected);
      else if (exact) expect([...(actual as number[])], output).toEqual([...(expected as number[])]);
      else {
        expect(expected.length, output).toBeGreaterThan(0);
        expect(toleranceUsed(actual as number[], expected, atol, rtol), output).toBeLessThan(1);
        expect(atol, output).toBeGreaterThan(0);
      }
    }
  });
});
