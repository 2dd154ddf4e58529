import { nodeModule } from '@palimpsest/base';
import type { MechanismVerb, MechanismVerbContext, TrainingEvent, VerbExit } from '@palimpsest/lm';
import { createEngine, InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { finetune } from './finetune.js';
import { type PreprocessSettings, preprocess, preprocessSchema } from './preprocess.js';
import { configTemplates, pretrain } from './stages.js';

const fileSystem = () => nodeModule('node:fs');
const paths = () => nodeModule('node:path');

/** `preprocess`: texts into bins of ids. */
export const preprocessVerb: MechanismVerb = {
  path: ['preprocess'],
  description: 'encode folders of texts into bins by length, for pretrain',
  schema: preprocessSchema,
  examples: ['palimpsest preprocess --input texts --output data/web --cutoffs 2049,4097'],
  async run(options, { output }) {
    const summary = preprocess(options as PreprocessSettings);
    for (const [bin, { tokens_per_file, tokens_total }] of Object.entries(summary)) {
      output.print(`${bin}: ${tokens_total} tokens in ${Object.keys(tokens_per_file).length} files`);
    }
    output.emit(summary);
    return 0;
  },
};

const pretrainSchema = z.strictObject({
  configDir: z.string().describe('folder with data.json, model.json, training.json and paths.json'),
  init: z.boolean().default(false).describe('write the four files as a start, and stop'),
  threads: z.int().min(1).optional().describe('threads of the engine'),
});

/** `pretrain`: stages of growing length from a folder of four files. */
export const pretrainVerb: MechanismVerb<typeof pretrainSchema> = {
  path: ['pretrain'],
  description: 'pretrain Om in stages of growing length; goes on where it stopped',
  schema: pretrainSchema,
  examples: ['palimpsest pretrain --config-dir configs --init', 'palimpsest pretrain --config-dir configs'],
  run: ({ configDir, init, threads }, context) =>
    init ? writeTemplates(configDir, context) : runStages(configDir, threads, context),
};

async function writeTemplates(folder: string, { output }: MechanismVerbContext): Promise<VerbExit> {
  fileSystem().mkdirSync(folder, { recursive: true });
  for (const [file, contents] of Object.entries(configTemplates())) {
    const path = paths().join(folder, file);
    if (fileSystem().existsSync(path)) throw new InputError(`'${path}' exists; it is left as it is.`);
    fileSystem().writeFileSync(path, `${JSON.stringify(contents, null, 2)}\n`);
    output.print(`wrote ${path}`);
  }
  return 0;
}

async function runStages(
  folder: string,
  threads: number | undefined,
  { output, signal }: MechanismVerbContext,
): Promise<VerbExit> {
  const engine = await createEngine('auto', { threads });
  try {
    for await (const { stage, stages, event } of pretrain(engine, folder, signal)) {
      const where = `stage ${stage + 1} of ${stages}`;
      if (!event) output.note(`${where}: done before`);
      else if (isWorthTelling(event)) output.print(`${where}: ${describe(event)}`);
    }
    output.emit({ folder, interrupted: signal.aborted });
    return signal.aborted ? 130 : 0;
  } finally {
    await engine.dispose();
  }
}

const finetuneSchema = z.strictObject({
  from: z.string().describe('folder of the model to begin with; its tokenizer has the special tokens'),
  pairs: z.string().describe('JSON lines of instructions and answers'),
  folder: z.string().describe('folder for checkpoints'),
  steps: z.int().min(1).default(200).describe('optimiser steps'),
  batchSize: z.int().min(1).default(8).describe('pairs per step'),
  learningRate: z.number().positive().default(3e-4).describe('highest learning rate'),
});

/** `finetune`: answers to instructions, with the loss on the answers only. */
export const finetuneVerb: MechanismVerb<typeof finetuneSchema> = {
  path: ['finetune'],
  description: 'teach a pretrained Om answers to instructions; only answers are learnt',
  schema: finetuneSchema,
  examples: ['palimpsest finetune --from stages/stage2 --pairs pairs.jsonl --folder runs/answers'],
  async run({ from, pairs, folder, steps, batchSize, learningRate }, { output, signal }) {
    const engine = await createEngine('auto');
    try {
      const settings = { steps, learningRate, warmupSteps: Math.ceil(steps / 20) };
      for await (const event of finetune(engine, { from, pairs, folder, batchSize, settings, signal })) {
        if (isWorthTelling(event)) output.print(describe(event));
      }
      output.emit({ folder, interrupted: signal.aborted });
      return signal.aborted ? 130 : 0;
    } finally {
      await engine.dispose();
    }
  },
};

const TOLD_EVERY = 50;

const isWorthTelling = (event: TrainingEvent) =>
  ['end', 'interrupted', 'validation'].includes(event.type) ||
  (event.type === 'step' && event.step % TOLD_EVERY === 0);

function describe(event: TrainingEvent): string {
  if (event.type === 'step')
    return `step ${event.step}, loss ${event.loss.toFixed(4)}, ${event.tokensPerSecond.toFixed(0)} tokens/s`;
  if (event.type === 'validation') return `validation ${event.result.loss.toFixed(4)} nats per token`;
  return event.type;
}
