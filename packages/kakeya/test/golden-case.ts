import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ParityCase, ParityOutput, ParityTensor } from '../src/index.js';
import { decodeSafetensors } from '../src/safetensors.js';

const folder = join(import.meta.dirname, 'golden');

export const caseNames = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .map((name) => name.slice(0, -'.json'.length));

/** A golden case as the parity runner hands it over. */
export function goldenCase(name: string): ParityCase {
  const json = JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as Record<string, unknown>;
  const { tensors } = decodeSafetensors(readFileSync(join(folder, `${name}.safetensors`)), name);
  return { name, json, tensors: new Map(Object.entries(tensors) as [string, ParityTensor][]), folder };
}

/** Outputs that miss their tolerance, described. */
export function misses(outputs: readonly ParityOutput[]): string[] {
  return outputs.flatMap(({ name, actual, expected, atol, rtol, exact }) => {
    if (typeof actual === 'string' || typeof expected === 'string') {
      return actual === expected ? [] : [`${name}: ${actual} instead of ${expected}`];
    }
    if (actual.length !== expected.length)
      return [`${name}: ${actual.length} numbers instead of ${expected.length}`];
    let worst = 0;
    for (let i = 0; i < actual.length; i++) {
      const allowed = exact === true ? 0 : atol + rtol * Math.abs(expected[i]!);
      const excess = Math.abs(actual[i]! - expected[i]!) - allowed;
      if (!(excess <= 0)) worst = Math.max(worst, Number.isNaN(excess) ? Infinity : excess);
    }
    return worst > 0 ? [`${name}: beyond its tolerance by ${worst}`] : [];
  });
}
