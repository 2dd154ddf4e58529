import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { decodeSafetensors, type SafeTensor, writeSafetensors } from '@palimpsest/tensor-core';
import { afterAll } from 'vitest';

export const golden = fileURLToPath(new URL('./golden/hf', import.meta.url));
const scratch: string[] = [];
afterAll(() => {
  for (const folder of scratch) rmSync(folder, { recursive: true, force: true });
});

/** A copy of a golden folder that may be spoiled. */
export function copyOf(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'palimpsest-backbone-'));
  scratch.push(folder);
  cpSync(join(golden, name), folder, { recursive: true });
  return folder;
}

export function editJson(folder: string, file: string, edit: (json: Record<string, unknown>) => void): void {
  const json = JSON.parse(readFileSync(join(folder, file), 'utf8'));
  edit(json);
  writeFileSync(join(folder, file), JSON.stringify(json));
}

export async function editTensors(
  folder: string,
  edit: (tensors: Record<string, SafeTensor>) => void,
): Promise<void> {
  const path = join(folder, 'model.safetensors');
  const tensors = Object.fromEntries(decodeSafetensors(readFileSync(path)).tensors);
  edit(tensors);
  await writeSafetensors(path, tensors);
}

/** A Llama of some ten million weights, all zero, two layers and a tied head. */
export async function grownCheckpoint(dtype: 'F32' | 'F16' | 'BF16'): Promise<string> {
  const folder = copyOf('tiny-llama3');
  const [width, vocabulary] = [512, 8000];
  const sizes = {
    hidden_size: width,
    intermediate_size: 2048,
    vocab_size: vocabulary,
    tie_word_embeddings: true,
  };
  editJson(folder, 'config.json', (json) => Object.assign(json, sizes));
  const growth: Record<number, number> = { 24: width, 40: 2048, 370: vocabulary };
  await editTensors(folder, (tensors) => {
    delete tensors['lm_head.weight'];
    for (const [key, { shape }] of Object.entries(tensors)) {
      const grown = shape.map((extent) => growth[extent] ?? extent);
      const count = grown.reduce((product, extent) => product * extent, 1);
      const data = dtype === 'F32' ? new Float32Array(count) : new Uint16Array(count);
      tensors[key] = { dtype, shape: grown, data };
    }
  });
  return folder;
}

/** Buffers are freed by another thread after a collection; waits until none is freed any more. */
async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let former = -1, now = process.memoryUsage().arrayBuffers; now !== former; ) {
    collect();
    await setTimeout(50);
    [former, now] = [now, process.memoryUsage().arrayBuffers];
  }
}

/** Bytes of arrays that a piece of work holds at most, seen whenever it calls back and at its end. */
export async function peakMemory<T>(
  work: (look: () => void) => Promise<T>,
): Promise<{ result: T; peak: number }> {
  await collectGarbage();
  const before = process.memoryUsage().arrayBuffers;
  let peak = 0;
  const look = () => {
    peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
  };
  const result = await work(look);
  look();
  return { result, peak };
}
