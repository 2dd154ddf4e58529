import { type Engine, type NDArray, ndarray, Rng, type tf } from '@palimpsest/tensor-core';
import { disposeAll } from '../host.js';
import type { OsamModel } from '../model.js';
import type { OsamParams } from '../parameters.js';
import { emptyState, type OsamState, stateBytesOf } from '../state.js';
import { createTrainStep } from '../train-step.js';

export interface SpeedOptions {
  /** Shape of a training batch; default 32 x 64. */
  readonly batchSize?: number;
  readonly seqLen?: number;
  /** Contexts after which decoding is timed; default 128, 512, 2048, 8192. */
  readonly contexts?: readonly number[];
  /** Timed repetitions; default 5 for training and 50 for decoding. */
  readonly repeats?: number;
  readonly decodeRepeats?: number;
}

export interface DecodeSpeed {
  readonly context: number;
  readonly millisecondsPerToken: number;
  readonly tokensPerSecond: number;
}

export interface SpeedReport {
  readonly trainTokensPerSecond: number;
  readonly prefillTokensPerSecond: number;
  /** Should be flat over contexts. */
  readonly decode: readonly DecodeSpeed[];
  /** Memory of one text. */
  readonly stateBytes: number;
  /** Largest resident size of the process so far; absent outside Node. */
  readonly peakBytes?: number;
}

const median = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

async function timed(run: () => Promise<void>, repeats: number): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < repeats; i++) {
    const start = performance.now();
    await run();
    times.push(performance.now() - start);
  }
  return median(times);
}

/** Times training, prefill and decoding on an engine (osam.md 12.1). */
export async function measureSpeed(
  engine: Engine,
  model: OsamModel,
  params: OsamParams<NDArray>,
  options: SpeedOptions = {},
): Promise<SpeedReport> {
  const { batchSize = 32, seqLen = 64, contexts = [128, 512, 2048, 8192] } = options;
  const { repeats = 5, decodeRepeats = 50 } = options;
  const trainMs = await timeTraining(engine, model, params, batchSize, seqLen, repeats);
  const decode: DecodeSpeed[] = [];
  let prefill = 0;
  for (const context of contexts) {
    const { prefillMs, stepMs } = await timeDecoding(engine, model, params, context, decodeRepeats);
    prefill = Math.max(prefill, (1000 * context) / prefillMs);
    decode.push({ context, millisecondsPerToken: stepMs, tokensPerSecond: 1000 / stepMs });
  }
  const peak = peakResidentBytes();
  return {
    trainTokensPerSecond: (1000 * batchSize * seqLen) / trainMs,
    prefillTokensPerSecond: prefill,
    decode,
    stateBytes: stateBytesOf(model.options, model.plans),
    ...(peak !== undefined && { peakBytes: peak }),
  };
}

function randomIds(model: OsamModel, shape: readonly number[]): NDArray<'int32'> {
  const rng = Rng.fromSeed(1);
  const count = shape.reduce((a, b) => a * b, 1);
  return ndarray(
    Int32Array.from({ length: count }, () => rng.int(model.vocabSize)),
    shape,
    'int32',
  );
}

async function timeTraining(
  engine: Engine,
  model: OsamModel,
  params: OsamParams<NDArray>,
  batch: number,
  time: number,
  repeats: number,
): Promise<number> {
  const { optimizer, step } = createTrainStep(model);
  const compiled = engine.compile(step, { name: 'osam training step', donate: [0, 1] });
  let current: unknown = engine.put(params);
  let state: unknown = engine.put(optimizer.init(params));
  const x = randomIds(model, [batch, time]);
  const run = async () => {
    const {
      params: next,
      optimizer: moments,
      ...rest
    } = await compiled(
      current as never,
      state as never,
      {
        x,
        y: x,
        learningRate: 1e-4,
      } as never,
    );
    current = next;
    state = moments;
    disposeAll(rest);
  };
  await run();
  const ms = await timed(run, repeats);
  disposeAll([current, state]);
  await compiled.dispose();
  return ms;
}

async function timeDecoding(
  engine: Engine,
  model: OsamModel,
  params: OsamParams<NDArray>,
  context: number,
  repeats: number,
): Promise<{ prefillMs: number; stepMs: number }> {
  const prefill = engine.compile(
    (p: OsamParams, x: tf.Tensor2D, s: OsamState) => model.forward(p, x, s, { training: false }).state,
    { name: 'osam prefill', freeze: [0] },
  );
  const step = engine.compile(
    (p: OsamParams, x: tf.Tensor1D, s: OsamState) => {
      const { logits, state } = model.step(p, x, s, true);
      return { logits: logits as tf.Tensor, state };
    },
    { name: 'osam step', freeze: [0], donate: [2] },
  );
  const prompt = randomIds(model, [1, context]);
  const empty = emptyState(model.options, model.plans, 1);
  const read = () => prefill(params as never, prompt as never, empty as never);
  disposeAll(await read());
  const start = performance.now();
  let state: unknown = await read();
  const prefillMs = performance.now() - start;
  const token = randomIds(model, [1]);
  const run = async () => {
    const result = await step(params as never, token as never, state as never);
    state = result.state;
    result.logits.dispose();
  };
  for (let i = 0; i < 5; i++) await run();
  const stepMs = await timed(run, repeats);
  disposeAll(state);
  await Promise.all([prefill.dispose(), step.dispose()]);
  return { prefillMs, stepMs };
}

/** `maxRSS` of the process in bytes, where there is a process. */
function peakResidentBytes(): number | undefined {
  if (typeof process === 'undefined' || typeof process.resourceUsage !== 'function') return undefined;
  return process.resourceUsage().maxRSS * 1024;
}
