import { nodeModule } from '@palimpsest/base';
import { type MechanismVerb, outputOptions, threadsOption } from '@palimpsest/lm';
import { createEngine } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { presets } from '../config.js';
import { MemLLM4 } from '../model/mem-llm.js';
import { trainAdapters } from '../training/train-adapters.js';
import type { StepReport } from '../training/trainer.js';

const schema = z.strictObject({
  model: z.string().describe('checkpoint folder of the language model, which stays as it is'),
  out: z.string().default('memory-adapters.safetensors').describe('file for the trained adapters'),
  log: z.string().optional().describe('file that gets a line of JSON per step'),
  steps: z.int().min(1).default(60).describe('optimiser steps'),
  batch: z.int().min(1).default(3).describe('sentences per step'),
  learningRate: z.number().positive().default(3e-4).describe('learning rate'),
  seed: z.int().min(0).default(42).describe('seed of fresh adapters'),
  reference: z.boolean().default(false).describe('the published arithmetic in place of ours'),
  threads: threadsOption,
  ...outputOptions,
});

/** `memory train`: the published trainer of the fiber prefix. */
export const trainVerb: MechanismVerb<typeof schema> = {
  path: ['memory', 'train'],
  description: 'train the adapters of the fiber prefix over a frozen language model',
  schema,
  aliases: { learningRate: ['lr'] },
  examples: ['palimpsest memory train --model Qwen2.5-0.5B --steps 60 --log steps.jsonl'],
  async run({ model, out, log, steps, batch, learningRate, seed, reference, threads }, { output, signal }) {
    const engine = await createEngine('auto', { threads });
    try {
      const memory = await MemLLM4.load(model, { engine, seed, memory: reference ? presets.reference : {} });
      const onStep = (step: number, { total, components, seconds }: StepReport) => {
        output.print(
          `step ${step + 1} of ${steps}: ${total.toFixed(4)} ${shown(components)} ${seconds.toFixed(2)} s`,
        );
        const line = { step, total, dt_s: seconds, ...components };
        if (log !== undefined) nodeModule('node:fs').appendFileSync(log, `${JSON.stringify(line)}\n`);
      };
      const trained = await trainAdapters(memory, { steps, batch, learningRate, onStep, signal });
      await memory.saveTrainedWeights(out, { provenance: `memory train, seed ${seed}`, ...trained });
      output.print(`${trained.steps} steps in ${trained.elapsedSeconds.toFixed(1)} s; adapters in ${out}`);
      output.print(`before: ${shown(trained.preProbe)}\nafter:  ${shown(trained.postProbe)}`);
      output.emit({ ...trained, out });
      await memory.dispose();
      return signal.aborted ? 130 : 0;
    } finally {
      await engine.dispose();
    }
  },
};

const shown = (values: Readonly<Record<string, number>>): string =>
  Object.entries(values)
    .map(([name, value]) => `${name} ${value.toFixed(4)}`)
    .join(' ');
