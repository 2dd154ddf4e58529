import { median } from '@palimpsest/base';
import { defineTask, optionsSchema, RandomWindows, trainedContestant, trainerOf } from '@palimpsest/lm';
import { Rng } from '@palimpsest/tensor-core';
import { z } from 'zod';

const options = z.strictObject({
  batch: z.int().min(1).default(16).describe('windows per step'),
  time: z.int().min(2).default(64).describe('tokens per window'),
  steps: z.int().min(2).default(12).describe('steps; the first, which compiles, is left out'),
  vocabSize: z.int().min(2).default(256).describe('number of token ids'),
});

/** Tokens per second of a whole training step: forward, backward, clipping, optimiser. */
export const trainingCost = defineTask({
  name: 'training-cost',
  family: 'efficiency',
  title: 'Training speed',
  description:
    'Tokens per second of whole training steps (forward, backward, clipping, AdamW) on windows of random tokens, median over steps; the first step, which compiles the graph, is given apart.',
  options,
  contenders: 'trained',
  headline: { metric: 'training', unit: 'tokens/s', higherIsBetter: true },
  async run(context, { batch, time, steps, vocabSize }) {
    const { engine, seed, signal, progress } = context;
    const contestant = trainedContestant(context);
    const need = { vocabSize, trainLength: time, longestLength: time };
    const model = contestant.learner?.(need) ?? contestant.create(need);
    const learn = trainerOf(contestant);
    const rng = Rng.fromSeed(seed);
    const ids = Int32Array.from({ length: 4 * batch * time }, () => rng.int(vocabSize));
    const source = new RandomWindows(ids, { batch, time, seed });
    const rates: number[] = [];
    let [parameters, bytes] = [0, 0];
    let firstSeconds = 0;
    for await (const event of learn({ engine, model, source, settings: { steps, seed, telemetry: false } })) {
      signal?.throwIfAborted();
      if (event.type === 'start') [parameters, bytes] = [event.parameters, event.stateBytes];
      if (event.type !== 'step') continue;
      if (event.step === 1) firstSeconds = (batch * time) / event.tokensPerSecond;
      else rates.push(event.tokensPerSecond);
      progress(event.step / steps, `step ${event.step} of ${steps}`);
    }
    return {
      parameters,
      stateBytes: bytes,
      modelConfig: optionsSchema.parse(model.config),
      metrics: [
        {
          name: 'training',
          value: median(rates),
          unit: 'tokens/s',
          samples: rates.length,
          higherIsBetter: true,
        },
        { name: 'first step', value: firstSeconds, unit: 's', higherIsBetter: false },
      ],
    };
  },
});
