import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type ParityCase, type ParityOutput, parityHandlers } from '../../src/index.js';
import { readTensors } from './safetensors.js';

const folder = fileURLToPath(new URL('../golden/', import.meta.url));

/** Every golden case of this package. */
export function goldenCases(): ParityCase[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .map((name) => ({
      name,
      folder,
      json: JSON.parse(readFileSync(`${folder}${name}.json`, 'utf8')) as Record<string, unknown>,
      tensors: readTensors(`${folder}${name}.safetensors`),
    }));
}

/** Dispatches a case on the system and kind of its JSON. */
export function runCase(testCase: ParityCase): ParityOutput[] {
  const { system, kind } = testCase.json;
  const handler = parityHandlers.find((each) => each.system === system && each.kind === kind);
  if (!handler) throw new Error(`No handler for kind '${String(kind)}' of '${String(system)}'.`);
  return handler.run(testCase);
}

/** Says how an output misses its tolerance, or nothing. */
export function miss({ name, actual, expected, atol, rtol, exact }: ParityOutput): string | undefined {
  if (actual.length !== expected.length) return `${name}: ${actual.length} values, not ${expected.length}`;
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [Number(actual[i]), Number(expected[i])];
    const allowed = exact ? 0 : atol + rtol * Math.abs(e);
    if (!(Math.abs(a - e) <= allowed)) return `${name}[${i}]: ${a}, not ${e} ± ${allowed}`;
  }
  return undefined;
}
