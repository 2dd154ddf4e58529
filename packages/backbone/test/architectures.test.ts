import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeSafetensors, ndarray, toNDArray } from '@palimpsest/tensor-core';
import { afterAll, describe, expect, it } from 'vitest';
import { LayeredTransformer, loadPretrained } from '../src/index.js';
import { engines, forwardLogits, maxDifference, steppedLogits, withEngine } from './helpers.js';

const golden = fileURLToPath(new URL('./golden/architectures', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'palimpsest-architectures-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface Case {
  readonly name: string;
  readonly config: Record<string, unknown>;
  readonly ids: readonly number[];
}

const cases = readdirSync(golden).flatMap((folder) => {
  const read = (name: string) => readFileSync(join(golden, folder, name));
  const expected = decodeSafetensors(read('logits.safetensors')).tensors;
  return (JSON.parse(read('cases.json').toString()) as Case[]).map((one, index) => ({
    ...one,
    folder,
    logits: toNDArray(expected.get(String(index))!).data as Float32Array,
  }));
});

/** A checkpoint folder: the weights that cases share, and one configuration. */
function folderOf({ folder, config, name }: (typeof cases)[number]): string {
  const path = join(scratch, `${folder}-${name.replaceAll(/\W+/g, '-')}`);
  mkdirSync(path, { recursive: true });
  const weights = join(path, 'model.safetensors');
  rmSync(weights, { force: true });
  symlinkSync(join(golden, folder, 'model.safetensors'), weights);
  writeFileSync(join(path, 'config.json'), JSON.stringify(config));
  return path;
}

/** Single precision over three or four layers, sums in another order. */
const TOLERANCE = 2e-5;

describe.each(engines)('logits of transformers, on %s', (engineName) => {
  it.each(cases)('$folder: $name', async (one) => {
    const { model, params, endIds } = await loadPretrained(folderOf(one), { capacity: one.ids.length });
    expect(endIds).toEqual([2, 3]);
    const tokens = ndarray(Int32Array.from(one.ids), [1, one.ids.length], 'int32');
    await withEngine(engineName, async (engine) => {
      const whole = await forwardLogits(engine, model, params, tokens);
      expect(maxDifference(whole, one.logits)).toBeLessThan(TOLERANCE);
      const stepped = await steppedLogits(engine, model, params, tokens);
      expect(maxDifference(stepped.logits, one.logits)).toBeLessThan(TOLERANCE);
    });
  });
});

it.each(cases.filter(({ folder }) => folder === 'gemma3' || folder === 'smollm3'))(
  'layer by layer: $folder: $name',
  async (one) => {
    await withEngine('cpu', async (engine) => {
      const layered = await LayeredTransformer.load(engine, folderOf(one), { capacity: one.ids.length });
      const first = await layered.read(one.ids.slice(0, 7), layered.initState());
      const { logits } = await layered.read(one.ids.slice(7), first.state);
      const last = one.logits.subarray(one.logits.length - model(one));
      expect(maxDifference(logits, last)).toBeLessThan(TOLERANCE);
    });
  },
);

const model = ({ config }: Case) => config.vocab_size as number;
