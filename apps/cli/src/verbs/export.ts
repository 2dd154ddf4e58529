import { basename, dirname, join } from 'node:path';
import { exportAdapters, exportFolder, exportOnnx, openLanguageModel } from '@palimpsest/harness';
import {
  InputError,
  LARGEST_MODEL,
  type NDArray,
  treeLeaves,
  writeFileAtomically,
} from '@palimpsest/tensor-core';
import { z } from 'zod';
import { ExitCode } from '../exit.js';
import { outputOptions } from '../options/common.js';
import { kebab } from '../options/fields.js';
import { defineVerb, type VerbContext } from '../verb.js';

const schema = z.object({
  format: z.enum(['onnx', 'hugging-face', 'peft']).default('onnx').meta({
    description:
      'a standard ONNX file; a Hugging Face folder of a fine-tuned model, adapters merged into its weights; or its adapters as PEFT keeps them',
  }),
  out: z.string().min(1).optional().meta({
    description: 'file or folder to write (default: model.onnx, merged, adapters)',
    value: 'path',
  }),
  batch: z.int().min(1).default(1).meta({ description: 'texts side by side', value: 'count' }),
  time: z
    .int()
    .min(1)
    .default(1)
    .meta({ description: 'tokens per call; 1 is the decoding step', value: 'count' }),
  externalData: z.boolean().default(false).meta({
    description: 'write the weights to a second file, <file>.data; weights above 1 GiB always go there',
  }),
  ...outputOptions,
});
type Options = z.output<typeof schema>;

/** `palimpsest export`: a trained model as a standard ONNX file, or as a folder that other libraries read. */
export const exportModel = defineVerb({
  path: ['export'],
  description:
    "write a model's step (or its parallel form) as a standard ONNX file, its tokenizer beside it, or a fine-tuned model as a folder",
  arguments: [
    {
      name: 'checkpoint',
      description: 'run folder, checkpoint, Hugging Face folder, GGUF file or adapters',
      required: true,
    },
  ],
  schema,
  examples: [
    'palimpsest export runs/my-run --out step.onnx',
    'palimpsest export runs/my-run --time 64 --out prefill.onnx',
    'palimpsest export runs/tuned --format hugging-face --out merged',
  ],
  async run(options, context, [path]) {
    if (options.format === 'onnx') await writeOnnx(path!, options, context);
    else await writeFolder(path!, options.format, options, context);
    return ExitCode.ok;
  },
});

const folders = {
  'hugging-face': { write: exportFolder, out: 'merged', what: 'a Hugging Face folder' },
  peft: { write: exportAdapters, out: 'adapters', what: 'adapters in the layout of PEFT' },
} as const;

/** Options of graphs alone. */
const OF_GRAPHS = ['batch', 'time', 'externalData'];

async function writeFolder(
  path: string,
  format: keyof typeof folders,
  options: Options,
  { output, registry, asked }: VerbContext,
): Promise<void> {
  const useless = OF_GRAPHS.find((key) => asked.has(key));
  if (useless !== undefined) {
    throw new InputError(`--${kebab(useless)} is for --format onnx; leave it away.`);
  }
  const { write, out, what } = folders[format];
  const folder = options.out ?? out;
  await write(path, folder, registry);
  output.print(`${folder}: ${what}`);
  output.emit({ folder, format });
}

async function writeOnnx(path: string, options: Options, { output, registry }: VerbContext): Promise<void> {
  const { model, params, tokenizer } = await openLanguageModel(path, registry);
  const weights = treeLeaves<NDArray>(params).reduce((sum, { leaf }) => sum + leaf.data.byteLength, 0);
  const { batch, time, out = 'model.onnx' } = options;
  const isSplit = options.externalData || weights > LARGEST_MODEL;
  const { bytes, external, nodes, inputs, outputs } = await exportOnnx(model, params, {
    batch,
    time,
    externalData: isSplit ? `${basename(out)}.data` : undefined,
  });
  const vocabulary = `${out.replace(/\.onnx$/, '')}.tokenizer.json`;
  // The model last, so that one that is there is whole.
  await writeFileAtomically(vocabulary, JSON.stringify(tokenizer.toJSON()));
  const data = external && join(dirname(out), external.name);
  if (external && data) await writeFileAtomically(data, external.chunks);
  await writeFileAtomically(out, bytes);
  output.print(
    `${out}: ${nodes} nodes, ${bytes.length} bytes${external ? ` and ${external.byteLength} in ${data}` : ''}, inputs ${inputs.map(({ name }) => name).join(', ')}; all but the tokens begin with zeros, and each output next.NAME is what NAME is fed in the next call; the tokenizer is ${vocabulary}`,
  );
  output.emit({
    file: out,
    bytes: bytes.length,
    externalData: external && { file: data, bytes: external.byteLength },
    tokenizer: vocabulary,
    nodes,
    inputs,
    outputs,
  });
}
