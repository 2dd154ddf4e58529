import { type Engine, type NDArray, treeLeaves } from '@palimpsest/tensor-core';
import type { GivenMasks } from '../dropout-source.js';
import { takeToHost } from '../host.js';
import type { OsamParams } from '../parameters.js';
import { referenceKey } from '../reference-keys.js';
import { createTrainStep, type TrainInputs } from '../train-step.js';
import { applicableForms } from './forms.js';
import { GoldenCase } from './golden-case.js';
import type { ParityHandler, ParityOutput } from './types.js';

interface TrainSettings {
  readonly steps: number;
  readonly lr: number;
  readonly specialLrFactor: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weightDecay: number;
  readonly gradClip: number;
  readonly labelSmoothing: number;
  readonly freezePhase: boolean;
}

/** Steps of the reference's training loop: losses, norms and weights, in every form. */
export const trainHandler: ParityHandler = {
  system: 'osam',
  kind: 'train',
  run: async (testCase, { engine }) => {
    const golden = new GoldenCase(testCase);
    const outputs: ParityOutput[] = [];
    for (const form of applicableForms(golden.options('parity'))) {
      outputs.push(...(await trainInForm(golden, engine as Engine, form)));
    }
    return outputs;
  },
};

async function trainInForm(
  golden: GoldenCase,
  engine: Engine,
  form: ReturnType<typeof applicableForms>[number],
): Promise<ParityOutput[]> {
  const settings = golden.member<TrainSettings>('train', {} as TrainSettings);
  const { model, params } = golden.model({ form });
  const { optimizer, step } = createTrainStep(model, {
    weightDecay: settings.weightDecay,
    gradClip: settings.gradClip,
    labelSmoothing: settings.labelSmoothing,
    freezePhase: settings.freezePhase,
    specialRateFactor: settings.specialLrFactor,
    betas: settings.betas,
    epsilon: settings.eps,
  });
  const compiled = engine.compile(
    (current: OsamParams, state: ReturnType<typeof optimizer.init<OsamParams>>, inputs: TrainInputs) => {
      const { telemetry, ...rest } = step(current, state as never, inputs);
      return rest;
    },
    { name: 'osam parity training' },
  );
  const losses: number[] = [];
  const norms: { before: number[]; after: number[] } = { before: [], after: [] };
  const outputs: ParityOutput[] = [];
  let current: unknown = params;
  let state: unknown = optimizer.init(params);
  for (let index = 0; index < settings.steps; index++) {
    const result = await takeToHost(
      await compiled(current as never, state as never, inputsOf(golden, index, settings.lr) as never),
    );
    current = result.params;
    state = result.optimizer;
    losses.push((result.loss as unknown as NDArray).data[0]!);
    norms.before.push((result.gradNorm as unknown as NDArray).data[0]!);
    norms.after.push((result.gradNormClipped as unknown as NDArray).data[0]!);
    for (const moment of index === 0 ? ['afterStep1', 'afterLast'] : ['afterLast']) {
      if (moment === 'afterLast' && index !== settings.steps - 1) continue;
      outputs.push(...weightOutputs(golden, current as OsamParams<NDArray>, params, moment, `${form}/`));
    }
  }
  await compiled.dispose();
  return [
    golden.output(`${form}/loss`, losses, golden.tensor('out/loss').data, 'loss'),
    golden.output(
      `${form}/gradNormPreClip`,
      norms.before,
      golden.tensor('out/gradNormPreClip').data,
      'gradNorm',
    ),
    golden.output(
      `${form}/gradNormPostClip`,
      norms.after,
      golden.tensor('out/gradNormPostClip').data,
      'gradNorm',
    ),
    ...outputs,
  ];
}

function inputsOf(golden: GoldenCase, step: number, learningRate: number) {
  const name = (part: string) => `in/step${step}/${part}`;
  const masks = golden.has(name('keepReadout'))
    ? [{ readout: golden.array(name('keepReadout')), value: golden.array(name('keepValue')) }]
    : undefined;
  return {
    x: golden.array(name('x')),
    y: golden.array(name('y')),
    learningRate,
    ...(masks && { masks: masks as unknown as GivenMasks[] }),
  };
}

/** Weights against the case; dead columns of W_1 only within what Adam makes of the reference's rounding noise. */
function weightOutputs(
  golden: GoldenCase,
  current: OsamParams<NDArray>,
  initial: OsamParams<NDArray>,
  moment: string,
  prefix: string,
): ParityOutput[] {
  const options = golden.options('parity');
  const layers = options.layers ?? 1;
  const before = new Map(treeLeaves<NDArray>(initial).map(({ path, leaf }) => [path, leaf]));
  return treeLeaves<NDArray>(current).flatMap(({ path, leaf }) => {
    const key = referenceKey(path, { layers, omegaMode: options.omegaMode ?? 'scalar' });
    const name = `out/${moment}/${key}`;
    if (!golden.has(name)) return [];
    const expected = golden.tensor(name).data;
    const label = `${prefix}${moment}/${key}`;
    const initialData = before.get(path)!.data;
    if (expected.every((value, index) => value === initialData[index])) {
      // The reference leaves this parameter alone: so must we, bit for bit.
      return [{ name: label, actual: leaf.data, expected, atol: 0, rtol: 0, exact: true }];
    }
    if (!key.endsWith('readout.0.weight')) return [golden.output(label, leaf.data, expected, 'weights')];
    return splitColumns(golden, label, leaf, expected);
  });
}

function splitColumns(
  golden: GoldenCase,
  label: string,
  weight: NDArray,
  expected: ArrayLike<number>,
): ParityOutput[] {
  const width = weight.shape[1]!;
  const live = new Set(golden.tensor('out/liveSumBuckets').data);
  const pick = (values: ArrayLike<number>, wanted: boolean) =>
    Array.from(values).filter((_, index) => live.has(index % width) === wanted);
  const { lr, steps } = golden.member<TrainSettings>('train', {} as TrainSettings);
  const liveOutput = golden.output(`${label} live`, pick(weight.data, true), pick(expected, true), 'weights');
  const dead = pick(expected, false);
  if (dead.length === 0) return [liveOutput];
  const atol = 0.5 * lr * steps;
  return [
    liveOutput,
    { name: `${label} dead`, actual: pick(weight.data, false), expected: dead, atol, rtol: 0 },
  ];
}
