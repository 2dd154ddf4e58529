import { type TransformerParameters, transformerOf } from '@palimpsest/backbone';
import { nodeModule } from '@palimpsest/base';
import { corpusText, loadCorpus, type MechanismVerb, threadsOption } from '@palimpsest/lm';
import { createEngine, InputError, type ToHost } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { cacheOptions, namedPolicy } from '../card-policies.js';
import { inspectionOf } from './inspection.js';
import { readText } from './read-text.js';

const schema = z.strictObject({
  model: z.string().optional().describe('run, checkpoint or folder of a transformer'),
  memory: z.string().default('namm').describe('rule for what its cache forgets (`palimpsest ls policies`)'),
  policyFile: z.string().optional().describe('file of an evolved policy, or of its evolution'),
  ...cacheOptions,
  text: z.string().optional().describe('text to read'),
  textPath: z
    .string()
    .default('stories')
    .describe('text file, folder or built-in text to read, without --text'),
  from: z.int().min(0).default(0).describe('first character of --text-path to read'),
  characters: z.int().min(1).default(2048).describe('most characters of --text-path to read'),
  threads: threadsOption,
  out: z.string().default('inspection.html').describe('page to write'),
});

/** `inspect namm`: what each layer and head of a model keeps of a text. */
export const inspectVerb: MechanismVerb<typeof schema> = {
  path: ['inspect', 'namm'],
  description: 'show which tokens of a text each layer and head keeps over time, as one HTML page',
  schema,
  examples: [
    'palimpsest inspect namm --model runs/base --policy-file runs/policy/best.safetensors --text-path my.txt',
    'palimpsest inspect namm --model runs/base --memory h2o --budget 128 --update-interval 128',
  ],
  async run(options, { output, given, open, draw }) {
    if (options.model === undefined) {
      throw new InputError('Give --model, the transformer whose cache shall be shown.');
    }
    if (options.text !== undefined && ['textPath', 'from', 'characters'].some((key) => given.has(key))) {
      throw new InputError(
        '--text is read as it is: leave out --text-path, --from and --characters beside it.',
      );
    }
    const { policy, schedule } = await namedPolicy(options.memory, options);
    const { folder, model, params, tokenizer } = await open(options.model);
    if (!tokenizer) throw new InputError(`'${folder}' has no tokenizer, so it reads no text.`);
    const { from, characters, threads } = options;
    const text = options.text ?? corpusText(loadCorpus(options.textPath)).slice(from, from + characters);
    const engine = await createEngine('auto', { threads });
    try {
      const read = await readText({
        engine,
        model: transformerOf(model, options.memory),
        params: params as ToHost<TransformerParameters>,
        policy,
        schedule,
        tokens: Int32Array.from(tokenizer.encode(text)),
      });
      const inspection = inspectionOf(read, options.memory, tokenizer);
      nodeModule('node:fs').writeFileSync(options.out, await draw(inspection, folder));
      output.print([...inspection.summary, `page: ${options.out}`].join('\n'));
      output.emit({ ...inspection.data, page: options.out });
      return 0;
    } finally {
      await engine.dispose();
    }
  },
};
