import { type AnySequenceModel, type BatchSource, type TrainingOptions, train } from '@palimpsest/lm';
import type { CurvePoint } from '../report/learning-curve.js';
import type { EvaluationContext } from './suite.js';

/** A model trained for an evaluation. */
export interface TrainedProbe {
  /** On the host. */
  readonly params: unknown;
  readonly parameters: number;
  /** Bytes of the memory of one text. */
  readonly stateBytes: number;
  readonly curve: readonly CurvePoint[];
  /** Median over the steps. */
  readonly tokensPerSecond: number;
}

/** Trains a fresh model on a source and keeps nothing but its parameters. `share` is how far the evaluation is meanwhile. */
export async function trainProbe(
  { engine, seed, signal, progress }: EvaluationContext,
  model: AnySequenceModel,
  source: BatchSource,
  settings: TrainingOptions,
  share: { readonly from: number; readonly to: number; readonly label: string },
): Promise<TrainedProbe> {
  const curve: CurvePoint[] = [];
  const rates: number[] = [];
  let probe: Omit<TrainedProbe, 'curve' | 'tokensPerSecond'> = {
    params: undefined,
    parameters: 0,
    stateBytes: 0,
  };
  for await (const event of train({ engine, model, source, settings: { seed, ...settings } })) {
    signal?.throwIfAborted();
    if (event.type === 'start') {
      probe = { ...probe, parameters: event.parameters, stateBytes: event.stateBytes };
    } else if (event.type === 'step') {
      curve.push({ step: event.step, loss: event.loss });
      rates.push(event.tokensPerSecond);
      const done = share.from + (share.to - share.from) * (event.step / event.steps);
      progress(done, `${share.label}: step ${event.step}/${event.steps}, loss ${event.loss.toFixed(3)}`);
    } else if (event.type === 'end') {
      probe = { ...probe, params: event.params };
    }
  }
  rates.sort((a, b) => a - b);
  return { ...probe, curve, tokensPerSecond: rates[rates.length >> 1] ?? 0 };
}
