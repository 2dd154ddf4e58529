import { basename, dirname, join } from 'node:path';
import { exportOnnx, openLanguageModel } from '@palimpsest/harness';
import { LARGEST_MODEL, type NDArray, treeLeaves, writeFileAtomically } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { ExitCode } from '../exit.js';
import { outputOptions } from '../options/common.js';
import { defineVerb } from '../verb.js';

/** `palimpsest export`: a trained model as a standard ONNX file. */
export const exportModel = defineVerb({
  path: ['export'],
  description: "write a model's step (or its parallel form) as a standard ONNX file, its tokenizer beside it",
  arguments: [
    {
      name: 'checkpoint',
      description: 'run folder, checkpoint, Hugging Face folder or GGUF file',
      required: true,
    },
  ],
  schema: z.object({
    out: z.string().min(1).default('model.onnx').meta({ description: 'file to write', value: 'file' }),
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
  }),
  examples: [
    'palimpsest export runs/my-run --out step.onnx',
    'palimpsest export runs/my-run --time 64 --out prefill.onnx',
  ],
  async run(options, { output, registry }, [path]) {
    const { model, params, tokenizer } = await openLanguageModel(path!, registry);
    const weights = treeLeaves<NDArray>(params).reduce((sum, { leaf }) => sum + leaf.data.byteLength, 0);
    const { batch, time } = options;
    const isSplit = options.externalData || weights > LARGEST_MODEL;
    const { bytes, external, nodes, inputs, outputs } = await exportOnnx(model, params, {
      batch,
      time,
      externalData: isSplit ? `${basename(options.out)}.data` : undefined,
    });
    const vocabulary = `${options.out.replace(/\.onnx$/, '')}.tokenizer.json`;
    // The model last, so that one that is there is whole.
    await writeFileAtomically(vocabulary, JSON.stringify(tokenizer.toJSON()));
    const data = external && join(dirname(options.out), external.name);
    if (external && data) await writeFileAtomically(data, external.chunks);
    await writeFileAtomically(options.out, bytes);
    output.print(
      `${options.out}: ${nodes} nodes, ${bytes.length} bytes${external ? ` and ${external.byteLength} in ${data}` : ''}, inputs ${inputs.map(({ name }) => name).join(', ')}; all but the tokens begin with zeros, and each output next.NAME is what NAME is fed in the next call; the tokenizer is ${vocabulary}`,
    );
    output.emit({
      file: options.out,
      bytes: bytes.length,
      externalData: external && { file: data, bytes: external.byteLength },
      tokenizer: vocabulary,
      nodes,
      inputs,
      outputs,
    });
    return ExitCode.ok;
  },
});
