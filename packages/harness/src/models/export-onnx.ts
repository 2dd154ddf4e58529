import { requireMemory } from '@palimpsest/base';
import type { AnySequenceModel } from '@palimpsest/lm';
import {
  createEngine,
  InputError,
  type NDArray,
  type OnnxModel,
  type OnnxValue,
  runOnce,
  tf,
  toOnnx,
  treeLeaves,
  treeMap,
  zeros,
} from '@palimpsest/tensor-core';

export interface ExportOptions {
  /** Texts side by side. Default 1. */
  readonly batch?: number;
  /** Tokens per call: 1 gives the decoding step, more the parallel form. Default 1. */
  readonly time?: number;
  /** Name of a second file for the weights. Default: they are in the model as long as they take 1 GiB at most, else required. */
  readonly externalData?: string | undefined;
}

/** A model's step or parallel form, ready to be saved. */
export interface ExportedModel extends Omit<OnnxModel, 'inputs'> {
  readonly inputs: readonly ExportedInput[];
}

/** `token` or `tokens`, or a part of the memory. */
export interface ExportedInput extends OnnxValue {
  /** What every number of it is before the first token; absent for tokens. */
  readonly initial?: 0;
  /** The output that is fed here in the next call; absent for tokens. */
  readonly next?: string;
}

/** Goes into the file, for whoever has nothing else. */
const USE =
  `Feed the tokens, int32, as 'token' [batch] or 'tokens' [batch, time], and the memory as the other inputs. Before the
first token all of them are zeros, whatever the model begins with. After a call each output 'next.NAME' is what the input NAME is fed
in the next one; 'logits' are of the token that follows. Zeros in one lane of all inputs begin another text there.`.replace(
    /\n/g,
    ' ',
  );

/** The memory as the file's inputs hold it: what the model calls its state, and whether a lane has read anything yet. */
interface Memory<Leaf> {
  readonly state: unknown;
  /** int32 [batch]; absent when the model's own memory begins with zeros. */
  readonly begun?: Leaf;
}

/**
 * A trained model as a standard ONNX file, its parameters inside or in a second file. Inputs are `token`, int32 [batch], or
 * `tokens`, int32 [batch, time], and the leaves of the memory, `state.PATH`; outputs are `logits` and the memory after the
 * tokens, `next.state.PATH`. Shapes are fixed.
 *
 * Everybody's first try is a memory of zeros, so zeros are what every model starts from, whatever its own memory begins with
 * (a learned start, positions of -1): a lane whose input `begun` is 0 reads the model's first memory, which is in the file.
 * @throws InputError for sizes that are no positive whole numbers, or for weights that need a second file.
 */
export async function exportOnnx(
  model: AnySequenceModel,
  params: unknown,
  options: ExportOptions = {},
): Promise<ExportedModel> {
  const { batch = 1, time = 1, externalData } = options;
  if (!(Number.isInteger(batch) && batch > 0 && Number.isInteger(time) && time > 0)) {
    throw new InputError(`An export needs a positive batch and time, but ${batch} and ${time} were given.`);
  }
  requireMemory(
    4 * batch * time * model.vocabSize,
    `The logits of ${batch} x ${time} tokens x ${model.vocabSize} entries, at 4 bytes each,`,
  );
  const first = await initialMemory(model, params, batch);
  const starts = startsOtherThanZero(first);
  const isStep = time === 1;
  const read = (weights: unknown, tokens: tf.Tensor, memory: Memory<tf.Tensor>, begin: Starts<tf.Tensor>) => {
    const before = begun(memory, begin);
    const { logits, state } = isStep
      ? model.step(weights, tokens as tf.Tensor1D, before)
      : model.forward(weights, tokens as tf.Tensor2D, before, { training: false });
    const next: Memory<tf.Tensor> = { state, ...(memory.begun && { begun: tf.onesLike(memory.begun) }) };
    return { logits, next };
  };
  const memory: Memory<NDArray> = {
    state: first,
    ...(Object.keys(starts).length > 0 && { begun: zeros([batch], 'int32') }),
  };
  const tokens = zeros(isStep ? [batch] : [batch, time], 'int32');
  const exported = toOnnx(read as never, [params, tokens, memory, starts], {
    name: `${model.name}-${isStep ? 'step' : 'forward'}`,
    freeze: [0, 3],
    argumentNames: ['parameters', isStep ? 'token' : 'tokens', '', 'first'],
    description: USE,
    metadata: {
      'palimpsest.model': model.name,
      'palimpsest.config': JSON.stringify(model.config),
      'palimpsest.initial': 'zeros',
    },
    ...(externalData === undefined ? {} : { externalData }),
  });
  return { ...exported, inputs: exported.inputs.map(describeInput) };
}

function describeInput(input: OnnxValue): ExportedInput {
  return /^tokens?$/.test(input.name) ? input : { ...input, initial: 0, next: `next.${input.name}` };
}

/** Leaves of a first memory that are not zeros, by path. */
type Starts<Leaf> = Readonly<Record<string, Leaf>>;

function startsOtherThanZero(first: unknown): Starts<NDArray> {
  const others = treeLeaves<NDArray>(first).filter(({ leaf }) => leaf.data.some((value) => value !== 0));
  return Object.fromEntries(others.map(({ path, leaf }) => [path, leaf]));
}

/** The memory that the model reads: its own first one in lanes that have not begun. */
function begun({ state, begun: flags }: Memory<tf.Tensor>, starts: Starts<tf.Tensor>): unknown {
  if (!flags) return state;
  const hasBegun = tf.notEqual(flags, tf.scalar(0, 'int32'));
  return treeMap<tf.Tensor, tf.Tensor>(state, (leaf, path) => {
    const start = starts[path];
    if (!start) return leaf;
    const lanes = [leaf.shape[0]!, ...leaf.shape.slice(1).map(() => 1)];
    return tf.where(tf.reshape(hasBegun, lanes), leaf, start);
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
