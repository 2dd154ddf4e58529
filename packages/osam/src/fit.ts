import { type Engine, type NDArray, Rng, treeLeaves } from '@palimpsest/tensor-core';
import { takeToHost } from './host.js';
import type { OsamModel } from './model.js';
import type { OsamParams } from './parameters.js';
import { createTrainStep, type TrainStepOptions } from './train-step.js';

/** A stream of training batches; every `BatchSource` of @palimpsest/lm is one. */
export interface FitSource {
  readonly batch: number;
  readonly time: number;
  /** True when targets may be -1, which does not count. */
  readonly hasIgnoredTargets: boolean;
  next(): { readonly inputs: NDArray<'int32'>; readonly targets: NDArray<'int32'> };
}

export interface FitOptions extends TrainStepOptions {
  readonly steps: number;
  /** Rate of a step; a number stays constant. Default 3e-3. */
  readonly learningRate?: number | ((step: number) => number);
  /** Seed of the parameters and of dropout. Default 1337. */
  readonly seed?: number;
  /** Parameters to start from; default: fresh ones. */
  readonly params?: OsamParams<NDArray>;
  /** Called after every step. */
  readonly onStep?: (step: number, loss: number) => void;
}

export interface FitResult {
  readonly params: OsamParams<NDArray>;
  readonly losses: Float64Array;
  /** Wall time of the steps after the first, which compiles. */
  readonly seconds: number;
  readonly tokensPerSecond: number;
}

/**
 * Trains a model by the reference's loop on a stream of batches: every batch from an empty memory. For long runs with
 * schedules, validation and checkpoints use the training loop of @palimpsest/lm.
 */
export async function fit(
  engine: Engine,
  model: OsamModel,
  source: FitSource,
  options: FitOptions,
): Promise<FitResult> {
  const { steps, learningRate = 3e-3, seed = 1337, onStep } = options;
  const rng = Rng.fromSeed(seed);
  const host = options.params ?? (model.init(rng) as OsamParams<NDArray>);
  const { optimizer, step } = createTrainStep(model, {
    ...options,
    ...(source.hasIgnoredTargets && { ignoreIndex: -1 }),
  });
  const compiled = engine.compile(step, { name: 'osam training step', donate: [0, 1] });
  let params: unknown = engine.put(host);
  let state: unknown = engine.put(optimizer.init(host));
  const losses = new Float64Array(steps);
  let started = performance.now();
  for (let i = 0; i < steps; i++) {
    const { inputs, targets } = source.next();
    const rate = typeof learningRate === 'number' ? learningRate : learningRate(i);
    const result = await compiled(
      params as never,
      state as never,
      {
        x: inputs,
        y: targets,
        learningRate: rate,
        ...(model.options.dropout > 0 && { dropoutKey: rng.key() }),
      } as never,
    );
    params = result.params;
    state = result.optimizer;
    losses[i] = await result.loss.item();
    const { loss, gradNorm, gradNormClipped, telemetry } = result;
    for (const { leaf } of treeLeaves<{ dispose(): void }>([loss, gradNorm, gradNormClipped, telemetry]))
      leaf.dispose();
    if (i === 0) started = performance.now();
    onStep?.(i, losses[i]!);
  }
  const seconds = (performance.now() - started) / 1000;
  const trained = (await takeToHost(params)) as OsamParams<NDArray>;
  await takeToHost(state);
  await compiled.dispose();
  const tokens = source.batch * source.time * Math.max(0, steps - 1);
  return { params: trained, losses, seconds, tokensPerSecond: seconds > 0 ? tokens / seconds : 0 };
}
