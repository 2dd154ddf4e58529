import type { GoldenHandler } from '@palimpsest/base/golden';
import { greatCirclePath } from '@palimpsest/fiber-geometry';
import { type NDArray, ndarray, Rng, tf, valueAndGradient } from '@palimpsest/tensor-core';
import { bundlesInit, TopicBundle } from '../bundles.js';
import { contentCentroids } from '../encoders/content-centroid.js';
import {
  type ContextEncoderParameters,
  contextEncoderInit,
  encodeContext,
  poolTurns,
} from '../encoders/context-encoder.js';
import { encodeTime, type TimeEncoderParameters, timeEncoderInit } from '../encoders/time-encoder.js';
import { timeFeatures } from '../encoders/time-features.js';
import { encodeTopic, type TopicEncoderParameters } from '../encoders/topic-encoder.js';
import { configOf, contract, gradientOutputs, runCase, weightsOf } from './case-parts.js';

const system = 'ams-v4';
const rng = () => Rng.fromSeed(0);

/** The clock's features, coordinates and gradients of the time encoder. */
export const timeEncoderCase: GoldenHandler = {
  system,
  kind: 'time-encoder',
  run: async (testCase, context) => {
    const config = configOf(testCase);
    const params = weightsOf(testCase, timeEncoderInit(config, rng()));
    const array = (name: string) => testCase.array<'float32'>(name);
    type Given = { params: TimeEncoderParameters; hidden: tf.Tensor };
    const { value, gradients, aux } = await runCase(
      context,
      (given: Given, scalars: tf.Tensor, surprise: tf.Tensor, to: readonly tf.Tensor[]) =>
        valueAndGradient(({ params, hidden }: Given) => {
          const { base, fiber, dirn } = encodeTime(params, config, hidden, scalars, surprise);
          const loss = tf.addN([base, fiber, dirn].map((x, i) => contract(x, to[i]!)));
          return [loss, { base, fiber, dirn, fourier: timeFeatures(scalars, config) }] as const;
        }, given),
      { params, hidden: array('in/hidden') },
      array('in/timeScalars'),
      array('in/surprise'),
      [array('in/lossWBase'), array('in/lossWFiber'), array('in/lossWDirn')],
    );
    return {
      'out/fourier': aux.fourier.data,
      'out/base': aux.base.data,
      'out/fiber': aux.fiber.data,
      'out/dirn': aux.dirn.data,
      'out/loss': value.data,
      ...gradientOutputs(testCase, gradients.params),
      'grad/in.hidden': gradients.hidden!.data,
    };
  },
};

/** Lists of ids of a padded table. */
export function raggedIds(ids: NDArray, lengths: ArrayLike<number>): number[][] {
  const width = ids.shape[1]!;
  return Array.from(lengths, (length, row) => Array.from(ids.data.slice(row * width, row * width + length)));
}

/** Centroids with and without weights, coordinates and gradients of the topic encoder, its great circles and transport. */
export const topicEncoderCase: GoldenHandler = {
  system,
  kind: 'topic-encoder',
  run: async (testCase, context) => {
    const config = configOf(testCase);
    const tree = weightsOf(testCase, bundlesInit(config, rng()).bundle_topic);
    const bundle = new TopicBundle(config, tree);
    // The file holds the weights under all their alias names.
    bundle.loadStateDict(
      Object.fromEntries(
        testCase
          .names('weights/')
          .filter((name) => !name.includes('encoder.'))
          .map((name) => [name.slice('weights/'.length), testCase.array(name)])
          .concat(Object.entries(bundle.stateDict()).filter(([name]) => name.startsWith('encoder.'))),
      ),
    );
    const array = (name: string) => testCase.array<'float32'>(name);
    const ids = raggedIds(testCase.array('in/contentIds'), testCase.integers('in/contentLen'));
    const uniform = contentCentroids(ids, array('in/wteNormed'));
    const weighted = contentCentroids(ids, array('in/wteNormed'), testCase.numbers('in/idf'));
    const encoder = tree.encoder;
    const run = (centroid: NDArray<'float32'>, form: string) =>
      runCase(
        context,
        (params: TopicEncoderParameters, hidden: tf.Tensor, mean: tf.Tensor, to: readonly tf.Tensor[]) =>
          valueAndGradient((own: TopicEncoderParameters) => {
            const { base, fiber } = encodeTopic(own, config, hidden, mean);
            return [tf.add(contract(base, to[0]!), contract(fiber, to[1]!)), { base, fiber }] as const;
          }, params),
        encoder,
        array('in/hidden'),
        centroid,
        [array(`in/lossWBase${form}`), array(`in/lossWFiber${form}`)],
      );
    const flat = await run(uniform, 'Uniform');
    const idf = await run(weighted, 'Idf');
    const geometry = await runCase(
      context,
      (src: tf.Tensor, dst: tf.Tensor, fiber: tf.Tensor) => ({
        path: greatCirclePath(src, dst, 7, { kind: 'clamped' }).points,
        transported: bundle.transport(fiber, tf.slice(src, [0, 0], [2, -1]), tf.slice(dst, [0, 0], [2, -1])),
        axis: bundle.canonicalAxis(),
      }),
      array('in/gcSrc'),
      array('in/gcDst'),
      array('in/fiberSrc'),
    );
    return {
      'out/centroidUniform': uniform.data,
      'out/baseUniform': flat.aux.base.data,
      'out/fiberUniform': flat.aux.fiber.data,
      'out/lossUniform': flat.value.data,
      'out/centroidIdf': weighted.data,
      'out/baseIdf': idf.aux.base.data,
      'out/fiberIdf': idf.aux.fiber.data,
      'out/lossIdf': idf.value.data,
      ...gradientOutputs(testCase, idf.gradients, 'encoder.'),
      'out/gcPath7': geometry.path.data,
      'out/transported': geometry.transported.data,
      'out/canonicalAxis': geometry.axis.data,
    };
  },
};

/** Coordinates and gradients of the context encoder with turns before the memory, without any, and with an empty list. */
export const contextEncoderCase: GoldenHandler = {
  system,
  kind: 'context-encoder',
  run: async (testCase, context) => {
    const config = configOf(testCase);
    const params = weightsOf(testCase, contextEncoderInit(config, rng()));
    const array = (name: string) => testCase.array<'float32'>(name);
    type Given = {
      params: ContextEncoderParameters;
      hidden: tf.Tensor;
      summary: tf.Tensor;
      turns: tf.Tensor;
    };
    const given = {
      params,
      hidden: array('in/hidden'),
      summary: array('in/sessionSummary'),
      turns: array('in/prevTurns'),
    };
    const { value, gradients, aux } = await runCase(
      context,
      (inputs: Given, to: readonly tf.Tensor[]) =>
        valueAndGradient(({ params, hidden, summary, turns }: Given) => {
          const { base, fiber, dirn } = encodeContext(params, config, hidden, summary, turns);
          const loss = tf.addN([base, fiber, dirn].map((x, i) => contract(x, to[i]!)));
          return [loss, { base, fiber, dirn, pool: poolTurns(params, config, hidden, turns) }] as const;
        }, inputs),
      given,
      [array('in/lossWBase'), array('in/lossWFiber'), array('in/lossWDirn')],
    );
    const alone = await runCase(
      context,
      ({ params, hidden, summary }: Omit<Given, 'turns'>) => encodeContext(params, config, hidden, summary),
      { params, hidden: given.hidden, summary: given.summary },
    );
    const without = await runCase(
      context,
      ({ params, hidden, summary, turns }: Given) => encodeContext(params, config, hidden, summary, turns),
      { ...given, turns: ndarray(new Float32Array(0), [given.hidden.shape[0]!, 0, config.dLLM]) },
    );
    return {
      'out/base': aux.base.data,
      'out/fiber': aux.fiber.data,
      'out/dirn': aux.dirn.data,
      'out/attnPool': aux.pool.data,
      'out/loss': value.data,
      'out/baseNoPrev@absent': alone.base.data,
      'out/fiberNoPrev@absent': alone.fiber.data,
      'out/dirnNoPrev@absent': alone.dirn.data,
      'out/baseNoPrev@empty': without.base.data,
      'out/fiberNoPrev@empty': without.fiber.data,
      'out/dirnNoPrev@empty': without.dirn.data,
      ...gradientOutputs(testCase, gradients.params),
      'grad/in.hidden': gradients.hidden!.data,
      'grad/in.sessionSummary': gradients.summary!.data,
      'grad/in.prevTurns': gradients.turns!.data,
    };
  },
};
