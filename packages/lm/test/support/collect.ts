import type { TrainingEnd, TrainingEvent, TrainingStepEvent } from '../../src/index.js';

/** All events of a run. */
export async function collect(events: AsyncIterable<TrainingEvent>): Promise<TrainingEvent[]> {
  const list: TrainingEvent[] = [];
  for await (const event of events) list.push(event);
  return list;
}

export const stepsOf = (events: readonly TrainingEvent[]) =>
  events.filter((event): event is TrainingStepEvent => event.type === 'step');

export const endOf = (events: readonly TrainingEvent[]) => events.at(-1) as TrainingEnd;

/** Losses and norms, which are equal bit for bit when two runs are the same. */
export const traceOf = (events: readonly TrainingEvent[]) =>
  stepsOf(events).map(({ step, loss, gradientNorm, tokens, telemetry }) => ({
    step,
    loss,
    gradientNorm,
    tokens,
    telemetry,
  }));

export const validationsOf = (events: readonly TrainingEvent[]) =>
  events.flatMap((event) =>
    event.type === 'validation' ? [{ step: event.step, loss: event.result.loss, isBest: event.isBest }] : [],
  );
