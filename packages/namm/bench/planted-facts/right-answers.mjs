// How well a policy does on texts that are kept for choosing.
import { mean } from '@palimpsest/base';
import { loadPolicy } from '../../dist/index.js';
import { Bench, shifted } from './bench.mjs';
import { ALIGNED, openBase } from './setup.mjs';

/** Draws of the validation part, none of which calibrates a threshold. */
const DRAWS = [11, 12, 13];

/** Share of right answers about planted facts, with the threshold at which a head keeps {@link ALIGNED} tokens in the mean. */
export async function rightAnswers({ engine, text, out, seed }, path) {
  const { model, params } = await openBase(out, seed);
  const bench = new Bench(engine, model, params, text);
  const policy = await loadPolicy(path);
  const shift = await bench.shiftFor(policy, ALIGNED);
  const right = [];
  await bench.withPolicy(shifted(policy, shift), async (reader) => {
    for (const draw of DRAWS) {
      const cell = { task: 'plantedFacts', seed: draw };
      right.push(...(await bench.measure(reader, cell, { split: 'validation' })).accuracy);
    }
  });
  return mean(right);
}
