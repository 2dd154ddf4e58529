import { readdirSync, readFileSync } from 'node:fs';
import { decodeSafetensors } from '@palimpsest/tensor-core';
import type { ParityCase, ParityOutput, ParityTensor } from '../../src/index.js';

const folder = new URL('../golden/', import.meta.url).pathname;

export function goldenNames(): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.replace('.json', ''));
}

export function goldenCase(name: string): ParityCase {
  const json = JSON.parse(readFileSync(`${folder}${name}.json`, 'utf8')) as Record<string, unknown>;
  const { tensors } = decodeSafetensors(readFileSync(`${folder}${name}.safetensors`));
  return { name, json, tensors: tensors as ReadonlyMap<string, ParityTensor>, folder };
}

/** Largest share of the tolerance that an output uses; above 1 it misses. */
export function toleranceUsed(output: ParityOutput): number {
  const { actual, expected, atol, rtol, exact } = output;
  if (typeof expected === 'string' || typeof actual === 'string') return actual === expected ? 0 : Infinity;
  if (actual.length !== expected.length) return Infinity;
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!);
    if (difference === 0) continue;
    const used = exact ? Infinity : difference / (atol + rtol * Math.abs(expected[i]!));
    worst = Math.max(worst, Number.isNaN(used) ? Infinity : used);
  }
  return worst;
}
