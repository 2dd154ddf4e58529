import { createEngine, type Engine, type NDArray, runOnce, type tf } from '@palimpsest/tensor-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createOmModel, OmLLM } from '../src/index.js';
import type { OmParams } from '../src/parameters.js';
import { leaky, lively, randomIds, small, variants } from './support/variants.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('cpu');
});
afterAll(() => engine.dispose());

/** Positions of the output whose logits change when id 9 of 14 does, the first of which has two ids of context. */
async function changedPositions(variant: object): Promise<number[]> {
  const options = { ...small, ...variant };
  const model = new OmLLM(options);
  const params = lively((rng) => createOmModel(options).init(rng));
  const ids = randomIds(1, 14, small.vocabSize);
  const changed = { ...ids, data: Int32Array.from(ids.data) };
  changed.data[9] = (changed.data[9]! + 1) % small.vocabSize;
  const run = (tree: OmParams, text: tf.Tensor) => model.forward(tree, text).logits;
  const [a, b] = [
    await runOnce(engine, run, params as never, ids),
    await runOnce(engine, run, params as never, changed as NDArray),
  ] as unknown as NDArray[];
  const width = a!.shape[2]!;
  const positions = Array.from({ length: a!.shape[1]! }, (_, t) => t);
  return positions.filter((t) =>
    Array.from({ length: width }, (_, i) => t * width + i).some((i) => a!.data[i] !== b!.data[i]),
  );
}

describe('what a changed id changes', () => {
  it.each(Object.entries(variants))('nothing before it, to the bit: %s', async (_name, variant) => {
    const changed = await changedPositions(variant);
    const context =
      (variant.initNgrams ?? small.initNgrams!).length > 0 || variant.edition === 'readme' ? 2 : 0;
    expect(Math.min(...changed)).toBe(9 - context);
  });

  it('positions of the reference see the future of their segment', async () => {
    const changed = await changedPositions(leaky['positions of the reference']!);
    // Position 7 is the changed one; its segment begins at 5.
    expect(Math.min(...changed)).toBe(5);
  });
});
