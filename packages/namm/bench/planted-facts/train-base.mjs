// Trains the transformer whose cache is managed: on short texts first, where looking back is learned quickly, then on long ones.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createTransformer } from '@palimpsest/backbone';
import { GeneratedExamples, loadCheckpoint, saveCheckpoint, train } from '@palimpsest/lm';
import { Rng, treeLeaves } from '@palimpsest/tensor-core';
import { baseFolder, drawFrom, FACT_TASKS, folderOf, MODEL, SAMPLES, taskOf } from './setup.mjs';

/** Characters of a text, texts of a step, steps, highest learning rate, and the share of the other characters that are learned. */
export const STAGES = [
  { total: 128, batch: 24, steps: 200, learningRate: 5e-3, textShare: 0.1 },
  { total: 384, batch: 8, steps: 300, learningRate: 4e-3, textShare: 0.5 },
  { total: 1024, batch: 4, steps: 260, learningRate: 3e-3, textShare: 0.7 },
];
/** First weights are drawn this much wider than the backbone's, whose deviation of 0.02 is for wider models. */
const WIDER = 5;

function wider(params) {
  for (const { leaf } of treeLeaves(params)) {
    if (leaf.shape.length > 1) for (let i = 0; i < leaf.data.length; i++) leaf.data[i] *= WIDER;
  }
  return params;
}

export async function trainBase({ engine, text, out, seed = 0, report, signal }) {
  const model = createTransformer({ ...MODEL, vocabSize: text.tokenizer.vocabSize });
  let params = wider(model.init(Rng.fromSeed(seed)));
  for (const [index, { total, batch, steps, learningRate, textShare }] of STAGES.entries()) {
    const folder = join(folderOf(out, 'base', seed), `stage-${index + 1}`);
    const draws = FACT_TASKS.map((name) =>
      drawFrom(taskOf(name, text, total, { size: SAMPLES }), text.tokenizer, textShare),
    );
    const source = new GeneratedExamples(draws, {
      name: `facts in ${total} characters`,
      ...{ batch, time: total - 1, seed: seed + index },
    });
    const resume = existsSync(folder)
      ? await loadCheckpoint(folder, { transformer: (config) => createTransformer(config) })
      : undefined;
    const settings = { steps, learningRate, seed, warmupSteps: 50, telemetry: false };
    const { tokenizer } = text;
    for await (const event of train({
      engine,
      model,
      source,
      settings,
      params,
      tokenizer,
      folder,
      resume,
      signal,
    })) {
      if (event.type === 'step' && event.step % 20 === 0) {
        report(
          `${total} characters, step ${event.step} of ${steps}: ${event.loss.toFixed(3)} nats, ${event.tokensPerSecond.toFixed(0)} characters/s`,
        );
      }
      if (event.type === 'end') params = event.params;
      if (event.type === 'interrupted') return false;
    }
  }
  await saveCheckpoint(baseFolder(out, seed), { model, params, tokenizer: text.tokenizer });
  return true;
}
