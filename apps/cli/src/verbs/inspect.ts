import { writeFileSync } from 'node:fs';
import { inspectCheckpoint, openCheckpoint } from '@palimpsest/harness';
import { corpusText, loadCorpus } from '@palimpsest/lm';
import { createEngine } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { ExitCode } from '../exit.js';
import { engineOptions, engineSettings, outputOptions } from '../options/common.js';
import { defineVerb } from '../verb.js';

/** `palimpsest inspect`: what a memory does with a text, as one HTML page. */
export const inspect = defineVerb({
  path: ['inspect'],
  description: 'show what the memory of a model does with a text, as one HTML page',
  arguments: [{ name: 'checkpoint', description: 'run folder or checkpoint', required: true }],
  schema: z.object({
    text: z.string().optional().meta({ description: 'text to read', value: 'text' }),
    textPath: z
      .string()
      .default('stories')
      .meta({ description: 'text file, folder or built-in text to read, without --text', value: 'path' }),
    from: z.int().min(0).default(0).meta({ description: 'first character of --text-path to read' }),
    characters: z.int().min(1).default(1024).meta({ description: 'most characters of --text-path to read' }),
    readTokens: z
      .int()
      .min(1)
      .default(192)
      .meta({ description: 'tokens at the end of the text whose reads are drawn' }),
    out: z.string().default('inspection.html').meta({ description: 'page to write', value: 'file' }),
    ...engineOptions,
    ...outputOptions,
  }),
  examples: [
    'palimpsest inspect runs/my-run --text-path my.txt --characters 2000 --out memory.html',
    'palimpsest inspect runs/my-run --text "Ada the baker had a red ring." --json',
  ],
  async run(options, { output, registry }, [path]) {
    const checkpoint = await openCheckpoint(path!, registry);
    const { from, characters, readTokens } = options;
    const text = options.text ?? corpusText(loadCorpus(options.textPath)).slice(from, from + characters);
    const engine = await createEngine(options.engine, engineSettings(options));
    try {
      const { inspection, page } = await inspectCheckpoint({
        engine,
        checkpoint,
        text,
        readTokens,
        registry,
      });
      writeFileSync(options.out, page);
      output.print([...inspection.summary, `page: ${options.out}`].join('\n'));
      output.emit({ ...inspection.data, page: options.out });
      return ExitCode.ok;
    } finally {
      await engine.dispose();
    }
  },
});
