import type { GoldenCase, GoldenHandler } from '@palimpsest/base/golden';
import { MaskedValues } from '@palimpsest/base/golden';
import {
  type AnySequenceModel,
  type BatchSource,
  parameterRules,
  parseTraining,
  settingsOfRecipe,
  type TrainingArrays,
  TrainingStep,
  withFrozen,
} from '@palimpsest/lm';
import { type Engine, full, type NDArray, ndarray, tf, treeLeaves } from '@palimpsest/tensor-core';
import { osam } from '../architecture.js';
import type { OsamConfig } from '../config.js';
import { givenMasks } from '../dropout-source.js';
import type { OsamModel } from '../model.js';
import type { OsamParams } from '../parameters.js';
import { referenceKey } from '../reference-keys.js';
import { applicableForms, loadModel, optionsOf } from './loaded-case.js';
import { FormOutputs } from './outputs.js';

interface TrainSettings {
  readonly steps: number;
  readonly lr: number;
  readonly specialLrFactor: number;
  readonly betas: [number, number];
  readonly eps: number;
  readonly weightDecay: number;
  readonly gradClip: number;
  readonly labelSmoothing: number;
  readonly freezePhase: boolean;
}

/** Steps of lm's training step under the recipe of the reference: losses, norms and weights, in every form. */
export const trainHandler: GoldenHandler = {
  system: 'osam',
  kind: 'train',
  async run(testCase, { engine }) {
    const result = new FormOutputs();
    for (const form of applicableForms(optionsOf(testCase, 'parity'))) {
      await trainInForm(testCase, engine as Engine, form, result);
    }
    return result.outputs;
  },
};

async function trainInForm(
  testCase: GoldenCase,
  engine: Engine,
  form: OsamConfig['form'],
  result: FormOutputs,
): Promise<void> {
  const given = testCase.member('train', {} as TrainSettings);
  const { model, params } = loadModel(testCase, 'parity', form);
  let arrays: Partial<TrainingArrays> & Pick<TrainingArrays, 'params'> = { params };
  const [losses, before, after]: [number[], number[], number[]] = [[], [], []];
  for (let index = 0; index < given.steps; index++) {
    const step = createStep(testCase, engine, model, params, given, index);
    await step.begin(arrays.params, arrays);
    const dropoutKeys = [ndarray(Int32Array.of(0, index), [2], 'int32')];
    const metrics = await step.run([batchOf(testCase, index)], { learningRate: given.lr, dropoutKeys });
    arrays = await step.toHost();
    await step.dispose();
    losses.push(metrics.loss);
    before.push(metrics.gradientNorm);
    after.push(metrics.clippedNorm);
    if (index === 0) offerWeights('afterStep1', model, arrays.params, form, result);
  }
  offerWeights('afterLast', model, arrays.params, form, result);
  result.offer('out/loss', form, losses);
  result.offer('out/gradNormPreClip', form, before);
  result.offer('out/gradNormPostClip', form, after);
  result.offer('out/liveSumBuckets', form, model.plans[0]!.sums.live.toSorted());
}

/** lm's training step as `train osam --preset reference` sets it up, with the numbers and the masks of the case. */
function createStep(
  testCase: GoldenCase,
  engine: Engine,
  model: OsamModel,
  params: OsamParams<NDArray>,
  given: TrainSettings,
  index: number,
): TrainingStep {
  const settings = parseTraining({
    ...settingsOfRecipe(osam.presets.reference?.recipe),
    learningRate: given.lr,
    betas: given.betas,
    epsilon: given.eps,
    weightDecay: given.weightDecay,
    clip: Math.max(0, given.gradClip),
    labelSmoothing: given.labelSmoothing,
    telemetry: false,
  });
  const rated: AnySequenceModel = {
    ...model,
    forward: (tree, tokens, state, context) =>
      model.forward(tree as OsamParams, tokens, state as never, {
        ...context,
        ...masksOf(testCase, index),
      }),
    parameterGroups: () =>
      model
        .parameterGroups()
        .map((group) => (group.rate === undefined ? group : { ...group, rate: given.specialLrFactor })),
  };
  const learning = withFrozen(rated, osam, given.freezePhase ? ['phase'] : []);
  const rules = parameterRules(learning, params, settings);
  return new TrainingStep(engine, learning, sourceOf(testCase, index), settings, rules);
}

const inputName = (index: number, part: string) => `in/step${index}/${part}`;

/** The case's masks of the one block's dropout, when it has any. */
function masksOf(testCase: GoldenCase, index: number) {
  if (!testCase.has(inputName(index, 'keepReadout'))) return {};
  const mask = (part: string) => {
    const { data, shape } = testCase.array(inputName(index, part));
    return tf.tensor(data, [...shape]);
  };
  return { dropout: [givenMasks({ readout: mask('keepReadout'), value: mask('keepValue') })] };
}

function batchOf(testCase: GoldenCase, index: number) {
  const inputs = testCase.array<'int32'>(inputName(index, 'x'));
  const targets = testCase.array<'int32'>(inputName(index, 'y'));
  return { inputs, targets, resets: full([inputs.shape[0]!], 1, 'int32') };
}

/** What the step asks of its source: the shapes of the batches that the case gives. */
function sourceOf(testCase: GoldenCase, index: number): BatchSource {
  const [batch, time] = testCase.shape(inputName(index, 'x')) as [number, number];
  return {
    batch,
    time,
    carriesState: false,
    hasIgnoredTargets: false,
    next: () => batchOf(testCase, index),
    cursor: () => ({ index }),
    seek: () => {},
  };
}

/**
 * Weights by their reference names. Columns of W_1 that no pair of channels reaches have no gradient here; in the
 * reference it is rounding noise, which Adam amplifies, so they do not count.
 */
function offerWeights(
  moment: string,
  model: OsamModel,
  params: unknown,
  form: string,
  result: FormOutputs,
): void {
  const live = new Set(model.plans[0]!.sums.live);
  for (const { path, leaf } of treeLeaves<NDArray>(params)) {
    const key = referenceKey(path, model.options);
    const width = leaf.shape[1]!;
    const value = key.endsWith('readout.0.weight')
      ? new MaskedValues(
          leaf.data,
          Array.from(leaf.data, (_, index) => live.has(index % width)),
        )
      : leaf.data;
    result.offer(`out/${moment}/${key}`, form, value);
  }
}
