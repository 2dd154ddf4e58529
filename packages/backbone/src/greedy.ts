import {
  type DeviceArray,
  type Engine,
  InputError,
  type NDArray,
  ndarray,
  type tf,
  treeLeaves,
} from '@palimpsest/tensor-core';
import type { TransformerParameters } from './parameters.js';
import type { Transformer } from './transformer.js';

export interface GreedyOptions {
  /** Embeddings that stand before the prompt, `[1, slots, modelWidth]`. */
  readonly softPrefix?: NDArray;
  /** Ids that end the text; the one that was found is given too. */
  readonly endIds?: readonly number[];
}

/** Parameters on the host or on the engine. */
type AnyParameters = TransformerParameters<NDArray> | TransformerParameters<DeviceArray>;

/**
 * Continues a prompt with the likeliest token again and again: one prefill, then single steps over the cache. Sampling
 * and stop texts are the business of `@palimpsest/lm`.
 * @returns at most `count` new ids
 * @throws InputError for an empty prompt.
 */
export async function continueGreedily(
  engine: Engine,
  model: Transformer,
  params: AnyParameters,
  prompt: ArrayLike<number>,
  count: number,
  options: GreedyOptions = {},
): Promise<number[]> {
  if (prompt.length === 0)
    throw new InputError('A prompt needs at least one token; begin with the start id.');
  const { softPrefix, endIds = [] } = options;
  const prefill = engine.compile(
    (weights: TransformerParameters, tokens: tf.Tensor, prefix: { embeddings?: tf.Tensor }) =>
      model.run(
        weights,
        { tokens, ...(prefix.embeddings && { softPrefix: prefix.embeddings }) },
        model.initState(weights, 1),
        { logits: 'last' },
      ) as { logits: tf.Tensor; state: ReturnType<Transformer['initState']> },
    { name: 'prefill' },
  );
  const step = engine.compile(model.step, { name: 'step', donate: [2] });
  const first = ndarray(Int32Array.from(prompt), [1, prompt.length], 'int32');
  const weights = params as never;
  let { logits, state } = await prefill(weights, first, softPrefix ? { embeddings: softPrefix } : {});
  const ids: number[] = [];
  while (ids.length < count) {
    const id = argMax(await logits.data());
    logits.dispose();
    ids.push(id);
    if (endIds.includes(id) || ids.length === count) break;
    ({ logits, state } = await step(weights, ndarray(Int32Array.of(id), [1], 'int32'), state as never));
  }
  for (const { leaf } of treeLeaves<DeviceArray>(state)) leaf.dispose();
  await prefill.dispose();
  await step.dispose();
  return ids;
}

/** Index of the largest value; of equal ones the first. */
function argMax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}
