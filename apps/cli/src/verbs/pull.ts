import { basename, join } from 'node:path';
import { z } from 'zod';
import { ExitCode } from '../exit.js';
import { outputOptions } from '../options/common.js';
import { chooseFiles } from '../pull/choose-files.js';
import { downloadInto } from '../pull/download.js';
import { hubPlace, listHubFiles } from '../pull/hub.js';
import { createProgress } from '../terminal/progress.js';
import { defineVerb } from '../verb.js';

const MEBIBYTE = 2 ** 20;

/** `palimpsest pull`: a model from the Hugging Face hub, into a folder that every verb takes. */
export const pull = defineVerb({
  path: ['pull'],
  description: 'fetch a model from the Hugging Face hub; the same command goes on where one was stopped',
  arguments: [{ name: 'model', description: 'OWNER/NAME on the hub', required: true }],
  schema: z.object({
    out: z
      .string()
      .optional()
      .meta({ description: 'folder to make (default: models/NAME)', value: 'folder' }),
    file: z.array(z.string()).optional().meta({
      description: 'only these files, with commas between them: one GGUF file of several',
      value: 'names',
    }),
    revision: z.string().default('main').meta({ description: 'branch, tag or commit', value: 'name' }),
    endpoint: z.string().optional().meta({
      description: 'address of the hub (default: $HF_ENDPOINT, else https://huggingface.co)',
      value: 'url',
    }),
    ...outputOptions,
  }),
  examples: [
    'palimpsest pull HuggingFaceTB/SmolLM2-135M-Instruct',
    'palimpsest pull OWNER/NAME-GGUF --file model-Q8_0.gguf --out models/small',
  ],
  async run({ out, file, revision, endpoint }, { output, signal }, [repo]) {
    const place = hubPlace(repo!, revision, endpoint);
    const folder = out ?? join('models', basename(place.repo));
    try {
      const files = chooseFiles(await listHubFiles(place, signal), file, place.repo);
      const bytes = files.reduce((sum, { size }) => sum + size, 0);
      const total = Math.max(1, Math.ceil(bytes / MEBIBYTE));
      const progress = createProgress({ title: 'pull', total, unit: 'MiB', output });
      try {
        await downloadInto(folder, files, place, {
          signal,
          onProgress: (done, path) => progress.update(Math.floor(done / MEBIBYTE), path),
        });
      } finally {
        progress.stop();
      }
      const [only] = files.filter(({ path }) => path.toLowerCase().endsWith('.gguf'));
      const model = only ? join(folder, only.path) : folder;
      output.print(
        `${files.length} files, ${bytes} bytes, checksums right. Now: palimpsest chat --model ${model}`,
      );
      output.emit({ model, folder, files: files.map(({ path }) => path), bytes });
      return ExitCode.ok;
    } catch (error) {
      if (!signal.aborted) throw error;
      output.note(`Stopped. What is there is kept; the same command goes on.`);
      return ExitCode.interrupted;
    }
  },
});
