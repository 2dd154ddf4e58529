import type { AnySequenceModel, TrainingEvent } from '@palimpsest/lm';
import { type Engine, type NDArray, type tf, treeToRecord } from '@palimpsest/tensor-core';

/** All events of a run. */
export async function eventsOf(events: AsyncIterable<TrainingEvent>): Promise<TrainingEvent[]> {
  const all: TrainingEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

/** Losses of the steps among them, nats per token. */
export const lossesOf = (events: readonly TrainingEvent[]) =>
  events.flatMap((event) => (event.type === 'step' ? [event.loss] : []));

/** Every array of a tree, by path. */
export const arraysOf = (params: unknown) =>
  Object.fromEntries(Object.entries(treeToRecord<NDArray>(params)).map(([path, { data }]) => [path, data]));

/** Logits of tokens `[batch, time]`, read from an empty memory. */
export async function logitsOf(
  engine: Engine,
  model: AnySequenceModel,
  params: unknown,
  tokens: NDArray,
): Promise<Float32Array> {
  const run = engine.compile((weights: never, ids: tf.Tensor2D) => {
    const state = model.initState(weights, ids.shape[0]);
    return model.forward(weights, ids, state, { training: false }).logits;
  });
  const logits = await run(params as never, tokens);
  return (await logits.data()) as Float32Array;
}
