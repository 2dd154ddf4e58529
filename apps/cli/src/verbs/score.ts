import { formatScore, type LanguageModel, scoreTasks, scoreText } from '@palimpsest/harness';
import { corpusText, loadCorpus, unknownCharactersRemark } from '@palimpsest/lm';
import { createEngine, InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { ExitCode } from '../exit.js';
import { engineOptions, engineSettings, outputOptions } from '../options/common.js';
import { memoryOptions, withMemory } from '../options/memory.js';
import { newestOrNamed, placeOrNewest, pretrainedOptions } from '../options/pretrained.js';
import { seedOption } from '../options/sampling.js';
import { openModel } from '../speak.js';
import { createProgress } from '../terminal/progress.js';
import { defineVerb } from '../verb.js';

/** `palimpsest score`: what a trained model makes of a text, and of generated tasks. */
export const score = defineVerb({
  path: ['score'],
  description:
    'measure a trained model: nats, perplexity, bits per byte of a text; answers to generated tasks',
  arguments: [newestOrNamed],
  schema: z.object({
    textPath: z.string().optional().meta({
      description: 'UTF-8 text file, folder or built-in text, read once from end to end',
      value: 'path',
    }),
    characters: z.int().min(2).optional().meta({ description: 'only the first characters of it' }),
    regime: z
      .enum(['streaming', 'windowed'])
      .default('streaming')
      .meta({ description: 'the memory is carried through the text, or begins afresh in every chunk' }),
    chunk: z
      .int()
      .min(1)
      .optional()
      .meta({ description: 'tokens per call, or per window: 128, or as many as the model reads at once' }),
    tasks: z
      .array(z.string())
      .optional()
      .meta({ description: 'generated tasks, as in mqar,passkey, asked in tokens of the model' }),
    examples: z.int().min(1).default(64).meta({ description: 'sequences per slice of a task' }),
    ...seedOption,
    ...pretrainedOptions,
    ...memoryOptions,
    ...engineOptions,
    ...outputOptions,
  }),
  examples: [
    'palimpsest score runs/my-run --text-path other.txt',
    'palimpsest score runs/my-run --tasks mqar,passkey --json',
    'palimpsest score --model model.gguf --weights 8bit --memory sinks --budget 1024 --text-path book.txt',
  ],
  async run(options, context, positional) {
    const { output, signal, registry, asked } = context;
    const { textPath, characters, regime, chunk, tasks = [], examples, seed } = options;
    refuseUseless(options, asked);
    const place = placeOrNewest(options, positional, output);
    const text = textPath === undefined ? undefined : corpusText(loadCorpus(textPath)).slice(0, characters);
    const engine = await createEngine(options.engine, engineSettings(options));
    let language: LanguageModel | undefined;
    try {
      language = await openModel(place, options, context, engine);
      const { params, tokenizer } = language;
      const scored = {
        engine,
        model: await withMemory(language.model, options, registry),
        params,
        tokenizer,
      };
      const unknown = text === undefined ? undefined : unknownCharactersRemark(tokenizer, text, 'text');
      if (unknown !== undefined) output.note(`warning: ${unknown}`);
      const read =
        text === undefined ? undefined : await scoreText(scored, language, text, { regime, chunk, signal });
      let progress: ReturnType<typeof createProgress> | undefined;
      const answers = await scoreTasks(scored, tasks, registry, {
        ...{ examples, seed, signal },
        onProgress(task, fraction) {
          progress ??= createProgress({ title: 'tasks', total: tasks.length, output });
          progress.update(tasks.indexOf(task) + fraction, task);
        },
      }).finally(() => progress?.stop());
      const refused = answers.map((answer) => answer.refused);
      if (read === undefined && refused.every((reason) => reason !== undefined))
        throw new InputError(refused[0]!);
      output.print(formatScore(read, answers, output.width));
      output.emit({ model: place, text: read, tasks: answers });
      return signal.aborted ? ExitCode.interrupted : ExitCode.ok;
    } finally {
      await engine.dispose();
      await language?.dispose();
    }
  },
});

/** @throws InputError when there is nothing to score by, or an option of what was not asked for. */
function refuseUseless(
  {
    textPath,
    tasks,
  }: { readonly textPath?: string | undefined; readonly tasks?: readonly string[] | undefined },
  asked: ReadonlySet<string>,
): void {
  if (textPath === undefined && tasks === undefined) {
    throw new InputError('Score by what? Give a text with --text-path, or tasks with --tasks mqar,passkey.');
  }
  const [owner, own] =
    textPath === undefined
      ? ['--text-path', ['characters', 'regime', 'chunk']]
      : ['--tasks', ['examples', 'seed']];
  const isMissing = textPath === undefined || tasks === undefined;
  const useless = isMissing ? own.find((key) => asked.has(key)) : undefined;
  if (useless !== undefined)
    throw new InputError(`--${useless} belongs to ${owner}; give that too, or leave it away.`);
}
