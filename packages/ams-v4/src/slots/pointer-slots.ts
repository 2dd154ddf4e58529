import { softmax, tf } from '@palimpsest/tensor-core';

/** How strongly the hidden states enter a slot. */
const HIDDEN_SCALE = 0.1;
const NORM_EPSILON = 1e-5;

/** What pointers and slots learn. */
export type SlotParameters<T = tf.Tensor> = {
  /** `[slots, pointer]` */
  readonly pointerQuery: T;
  /** `[pointer, dLLM]` */
  readonly pointerKeyW: T;
  /** `[pointer]` */
  readonly pointerKeyB: T;
  /** How much the j-th slot prefers the j-th content token, a scalar. */
  readonly priorStrength: T;
  /** `[dLLM, dLLM]`, of token embeddings. */
  readonly embedMap: T;
  /** `[dLLM, dLLM]`, of hidden states. */
  readonly hiddenMap: T;
  /** `[slots, dLLM]` */
  readonly slotBias: T;
};

/** What the slots of a memory are made of. */
export interface SlotInputs<T = tf.Tensor> {
  /** Token embeddings, `[memories, time, dLLM]`. */
  readonly embeddings: T;
  /** Hidden states, `[memories, time, dLLM]`. */
  readonly hidden: T;
  /** 1 for tokens, 0 for padding, `[memories, time]`. */
  readonly mask: T;
  /** 1 where a token is the slot's content token, `[memories, slots, time]`. */
  readonly prior: T;
}

const NEVER = -1e9;

/** Rows of mean 0 and deviation 1, without a gain. */
function standardised(rows: tf.Tensor): tf.Tensor {
  const centred = tf.sub(rows, tf.mean(rows, -1, true));
  return tf.div(centred, tf.sqrt(tf.add(tf.mean(tf.square(centred), -1, true), NORM_EPSILON)));
}

/**
 * Slots of memories: each a mixture of the memory's own token embeddings, nearly one-hot (DERIVATION.md, "Pointer slots").
 * @returns the mixture `[memories, slots, time]` and the slots `[memories, slots, dLLM]`
 */
export function pointerSlots(
  parameters: SlotParameters,
  { embeddings, hidden, mask, prior }: SlotInputs,
): { attention: tf.Tensor; slots: tf.Tensor } {
  const [memories, time, width] = embeddings.shape as [number, number, number];
  const [slots, pointer] = parameters.pointerQuery.shape as [number, number];
  const states = standardised(hidden);
  const flat = tf.reshape(states, [memories * time, width]);
  const keys = tf.add(tf.matMul(flat, parameters.pointerKeyW, false, true), parameters.pointerKeyB);
  const queries = tf.broadcastTo(tf.expandDims(parameters.pointerQuery, 0), [memories, slots, pointer]);
  const scores = tf.matMul(queries, tf.reshape(keys, [memories, time, pointer]), false, true);
  const preferred = tf.add(scores, tf.mul(prior, parameters.priorStrength));
  const hiddenTokens = tf.mul(tf.sub(1, tf.cast(mask, 'float32')), NEVER);
  const attention = softmax(tf.add(preferred, tf.expandDims(hiddenTokens, 1)));
  const mixed = (rows: tf.Tensor, map: tf.Tensor) =>
    tf.reshape(tf.matMul(tf.reshape(tf.matMul(attention, rows), [memories * slots, width]), map), [
      memories,
      slots,
      width,
    ]);
  const fromStates = tf.mul(mixed(states, parameters.hiddenMap), HIDDEN_SCALE);
  const content = tf.add(mixed(embeddings, parameters.embedMap), fromStates);
  return { attention, slots: tf.add(content, parameters.slotBias) };
}

/**
 * The prefix of prompts: a header, then the slots of the chosen memories in the given order.
 * @param slots `[memories, slots, dLLM]`
 * @param header `[rows, dLLM]`
 * @param chosen int32 `[prompts, chosen]`, places of memories
 * @returns `[prompts, rows + chosen · slots, dLLM]`
 */
export function headedPrefix(slots: tf.Tensor, header: tf.Tensor, chosen: tf.Tensor): tf.Tensor {
  const [, count, width] = slots.shape as [number, number, number];
  const [prompts, memories] = chosen.shape as [number, number];
  const rows = tf.reshape(tf.gather(slots, tf.reshape(chosen, [-1]) as tf.Tensor1D), [
    prompts,
    memories * count,
    width,
  ]);
  const head = tf.broadcastTo(tf.expandDims(header, 0), [prompts, header.shape[0]!, width]);
  return tf.concat([head, rows], 1);
}
