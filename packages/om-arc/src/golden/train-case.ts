import type { GoldenCase, GoldenHandler, GoldenOutputs } from '@palimpsest/base/golden';
import {
  type AnySequenceModel,
  type BatchSource,
  IGNORED_TARGET,
  type ParameterRule,
  parseTraining,
  TrainingStep,
} from '@palimpsest/lm';
import {
  type Engine,
  type NDArray,
  ndarray,
  rectification,
  tf,
  treeLeaves,
  valueAndGradient,
  zeros,
} from '@palimpsest/tensor-core';
import type { OmConfig } from '../config.js';
import { OmLLM } from '../om-llm.js';
import type { OmParams } from '../parameters.js';
import { contextIds } from '../plan.js';
import { createOmModel } from '../sequence-model.js';
import { toNamed } from '../weights/correspondence.js';
import { modelCorrespondences } from '../weights/model-keys.js';
import { gradientOutputs, modelOf, runOnce } from './case-parts.js';
import { meanLoss } from './model-case.js';

interface OptimizerSettings {
  readonly name: string;
  readonly lr: number;
  readonly betas?: readonly [number, number];
  readonly warmup_steps?: number;
  readonly weight_decay: number;
  readonly noDecayIfNameContains: readonly string[];
}

/** The model on texts that bring their own context: the first g positions predict nothing. */
function withOwnContext(config: OmConfig): AnySequenceModel {
  const model = createOmModel(config);
  const g = contextIds(config);
  return {
    ...model,
    forward: (params, tokens, state, context) => {
      const [batch, time] = tokens.shape;
      const own = { ...(state as object), context: tf.slice(tokens, [0, 0], [batch, g]) };
      const text = tf.slice(tokens, [0, g], [batch, time - g]) as tf.Tensor2D;
      const result = model.forward(params as OmParams, text, own as never, context);
      const silent = tf.zeros([batch, g, config.vocabSize]);
      return { ...result, logits: tf.concat([silent, result.logits], 1) as tf.Tensor3D };
    },
  } as AnySequenceModel;
}

/** Batches [steps, batch, g + T + 1]; targets of the first g positions do not count. */
function sourceOf(batches: NDArray<'int32'>, g: number): BatchSource {
  const [, batch, ids] = batches.shape as [number, number, number];
  const time = ids - 1;
  let step = 0;
  return {
    batch,
    time,
    carriesState: false,
    hasIgnoredTargets: true,
    next: () => {
      const [inputs, targets] = [zeros([batch, time], 'int32'), zeros([batch, time], 'int32')];
      for (let row = 0; row < batch; row++) {
        const start = (step * batch + row) * ids;
        for (let t = 0; t < time; t++) {
          inputs.data[row * time + t] = batches.data[start + t]!;
          targets.data[row * time + t] = t < g ? IGNORED_TARGET : batches.data[start + t + 1]!;
        }
      }
      step += 1;
      return { inputs, targets, resets: zeros([batch], 'int32') };
    },
    cursor: () => ({ step }),
    seek: () => undefined,
  };
}

const normOf = (params: unknown) =>
  Math.sqrt(
    treeLeaves<NDArray>(params).reduce(
      (sum, { leaf }) => sum + Array.from(leaf.data).reduce((part, value) => part + value * value, 0),
      0,
    ),
  );

/** What decays, by the published names of the parameters that lie in a leaf. */
function rulesOf(testCase: GoldenCase, params: OmParams<NDArray>, config: OmConfig): ParameterRule[] {
  const { weight_decay, noDecayIfNameContains } = testCase.member('optimizer', {} as OptimizerSettings);
  const spared = new Set(
    modelCorrespondences(config, params)
      .filter(({ key }) => noDecayIfNameContains.some((part) => key.includes(part)))
      .map(({ path }) => path),
  );
  return treeLeaves<NDArray>(params).map(({ path }) => ({
    path,
    rate: 1,
    weightDecay: spared.has(path) ? 0 : weight_decay,
    frozen: false,
    group: 'default',
  }));
}

/** Gradients of the first step. */
async function firstGradients(
  testCase: GoldenCase,
  engine: unknown,
  config: OmConfig,
  params: OmParams<NDArray>,
) {
  const batches = testCase.array<'int32'>('in/batches');
  const [, batch, ids] = batches.shape as [number, number, number];
  const g = contextIds(config);
  const model = new OmLLM(config);
  const differentiate = (tree: OmParams, all: tf.Tensor) => {
    const first = tf.reshape(tf.slice(all, [0, 0, 0], [1, batch, ids]), [batch, ids]);
    return valueAndGradient((weights: OmParams) => {
      const { logits } = model.forward(weights, tf.slice(first, [0, 0], [batch, ids - 1]));
      return meanLoss(config, logits, tf.slice(first, [0, g + 1], [batch, ids - g - 1]));
    }, tree).gradients;
  };
  return runOnce(engine, differentiate, params, batches as never);
}

/** Steps of the training loop that ships, with a schedule-free optimiser. */
export const trainCase: GoldenHandler = {
  system: 'om-arc',
  kind: 'train',
  async run(testCase, { engine }) {
    const { config, params } = modelOf(testCase);
    const {
      name,
      lr,
      betas = [0.9, 0.999],
      warmup_steps = 0,
      weight_decay,
    } = testCase.member('optimizer', {} as OptimizerSettings);
    const steps = testCase.member('steps', 1);
    const isRAdam = name === 'RAdamScheduleFree';
    const settings = parseTraining({
      steps,
      learningRate: lr,
      schedule: 'constant',
      warmupSteps: warmup_steps,
      optimizer: isRAdam ? 'schedule-free-radam' : 'schedule-free-adamw',
      betas: [...betas],
      weightDecay: weight_decay,
      clip: 0,
    });
    const source = sourceOf(testCase.array('in/batches'), contextIds(config));
    const model = withOwnContext(config);
    const step = new TrainingStep(
      engine as Engine,
      model,
      source,
      settings,
      rulesOf(testCase, params, config),
    );
    await step.begin(params);
    const outputs: Record<string, GoldenOutputs[string]> = {};
    const [losses, gradientNorms, parameterNorms, rates] = [[], [], [], []] as number[][];
    const keys = modelCorrespondences(config, params);
    const record = (prefix: string, tree: unknown) => {
      for (const [key, { data }] of toNamed(tree, keys)) {
        if (testCase.has(`${prefix}/${key}`)) outputs[`${prefix}/${key}`] = data;
      }
    };
    let trained: unknown = params;
    for (let index = 0; index < steps; index++) {
      const warm = warmup_steps > 0 ? Math.min(1, (index + 1) / warmup_steps) : 1;
      parameterNorms!.push(normOf(trained));
      rates!.push(lr * warm * (isRAdam ? rectification(index + 1, betas[1]) : 1));
      const key = ndarray(Int32Array.of(0, 0), [2], 'int32');
      const metrics = await step.run([source.next()], { learningRate: lr * warm, dropoutKeys: [key] });
      losses!.push(metrics.loss);
      gradientNorms!.push(metrics.gradientNorm);
      const arrays = await step.toHost();
      trained = (arrays.optimizer as { trainedParameters: unknown }).trainedParameters;
      record(`out/afterStep${index + 1}`, trained);
      if (index + 1 === steps) record('out/evalMode', arrays.params);
    }
    await step.dispose();
    const gradients = await firstGradients(testCase, engine, config, params);
    return {
      ...outputs,
      'out/losses': losses!,
      'out/gradNorms': gradientNorms!,
      'out/paramNorms': parameterNorms!,
      'out/effectiveLr': rates!,
      ...gradientOutputs(testCase, keys, params, gradients),
    };
  },
};
