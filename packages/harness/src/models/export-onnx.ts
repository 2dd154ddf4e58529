import type { AnySequenceModel } from '@palimpsest/lm';
import {
  createEngine,
  InputError,
  type OnnxModel,
  runOnce,
  type tf,
  toOnnx,
  zeros,
} from '@palimpsest/tensor-core';

export interface ExportOptions {
  /** Texts side by side. Default 1. */
  readonly batch?: number;
  /** Tokens per call: 1 gives the decoding step, more the parallel form. Default 1. */
  readonly time?: number;
  /** Name of a second file for the weights. Default: they are in the model as long as they take 1 GiB at most, else required. */
  readonly externalData?: string;
}

/**
 * A trained model as a standard ONNX file, its parameters inside or in a second file. Inputs are the tokens, int32 [batch] or [batch, time],
 * and the leaves of the memory; outputs are logits and the new memory. Shapes are fixed.
 * @throws InputError for sizes that are no positive whole numbers, or for weights that need a second file.
 */
export async function exportOnnx(
  model: AnySequenceModel,
  params: unknown,
  options: ExportOptions = {},
): Promise<OnnxModel> {
  const { batch = 1, time = 1, externalData } = options;
  const outside = externalData === undefined ? {} : { externalData };
  if (!(Number.isInteger(batch) && batch > 0 && Number.isInteger(time) && time > 0)) {
    throw new InputError(`An export needs a positive batch and time, but ${batch} and ${time} were given.`);
  }
  const memory = await initialMemory(model, params, batch);
  if (time === 1) {
    const step = (weights: unknown, token: tf.Tensor1D, state: unknown) => model.step(weights, token, state);
    return toOnnx(step as never, [params, zeros([batch], 'int32'), memory], {
      name: `${model.name}-step`,
      freeze: [0],
      ...outside,
    });
  }
  const forward = (weights: unknown, tokens: tf.Tensor2D, state: unknown) => {
    const { logits, state: after } = model.forward(weights, tokens, state, { training: false });
    return { logits, state: after };
  };
  return toOnnx(forward as never, [params, zeros([batch, time], 'int32'), memory], {
    name: `${model.name}-forward`,
    freeze: [0],
    ...outside,
  });
}

/** The memory before the first token, on the host. */
async function initialMemory(model: AnySequenceModel, params: unknown, batch: number): Promise<unknown> {
  const engine = await createEngine('cpu');
  try {
    return await runOnce(engine, (tree: unknown) => model.initState(tree, batch), params);
  } finally {
    await engine.dispose();
  }
}
