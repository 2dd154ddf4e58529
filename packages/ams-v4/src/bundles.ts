import { Bundle, type BundleOptions, type BundleParameters, type Encoded } from '@palimpsest/fiber-geometry';
import { InputError, isNDArray, type NDArray, type Rng, tf, treeMap } from '@palimpsest/tensor-core';
import type { MemoryConfig } from './config.js';
import {
  type ContextEncoderParameters,
  contextEncoderInit,
  encodeContext,
} from './encoders/context-encoder.js';
import { encodeTime, type TimeEncoderParameters, timeEncoderInit } from './encoders/time-encoder.js';
import { encodeTopic, type TopicEncoderParameters, topicEncoderInit } from './encoders/topic-encoder.js';
import type { LinearParameters } from './layers.js';

type ThreeLayerParameters<T> = {
  readonly 0: LinearParameters<T>;
  readonly 2: LinearParameters<T>;
  readonly 4: LinearParameters<T>;
};

/** Parameters of a bundle under the published keys: its axis, its encoder, its metric and its connection. */
export type BundleTree<Encoder, T = tf.Tensor> = {
  /** Raw canonical axis, `[dBase]`. */
  readonly _axis_raw: T;
  readonly encoder: Encoder;
  readonly metric: { readonly net: ThreeLayerParameters<T> };
  readonly conn: { readonly net: ThreeLayerParameters<T>; readonly generators?: T };
};

export type BundleTrees<T = tf.Tensor> = {
  readonly bundle_time: BundleTree<TimeEncoderParameters<T>, T>;
  readonly bundle_topic: BundleTree<TopicEncoderParameters<T>, T>;
  readonly bundle_ctx: BundleTree<ContextEncoderParameters<T>, T>;
};

/** Options of a bundle's geometry. */
function geometryOptions(name: 'time' | 'topic' | 'ctx', config: MemoryConfig): BundleOptions {
  const sizes = {
    time: { dBase: config.dTime, dFiber: config.dFTime },
    topic: { dBase: config.dTopic, dFiber: config.dFTopic },
    ctx: { dBase: config.dCtx, dFiber: config.dFCtx },
  } as const;
  const { geometry, nGeoPts, geoMaxSteps, geoTol, geoLr, normCorrectionInterval } = config;
  return {
    name,
    ...sizes[name],
    mode: geometry,
    nGeoPts,
    geoMaxSteps,
    geoTol,
    geoLr,
    normCorrectionInterval,
  };
}

/** The geometry alone, from which fresh parameters come. */
class BareBundle extends Bundle {
  encode(): Encoded {
    throw new InputError('This bundle has no encoder; it only transports.');
  }
}

function treeInit<Encoder>(
  name: 'time' | 'topic' | 'ctx',
  config: MemoryConfig,
  rng: Rng,
  encoder: Encoder,
): BundleTree<Encoder, NDArray> {
  const { parameters } = new BareBundle({ ...geometryOptions(name, config), rng });
  return { ...(parameters as BundleTree<Encoder, NDArray>), encoder };
}

/** Fresh parameters of the three bundles; axes ~ N(0, 0.1²). */
export function bundlesInit(config: MemoryConfig, rng: Rng): BundleTrees<NDArray> {
  return {
    bundle_time: treeInit('time', config, rng, timeEncoderInit(config, rng)),
    bundle_topic: treeInit('topic', config, rng, topicEncoderInit(config, rng)),
    bundle_ctx: treeInit('ctx', config, rng, contextEncoderInit(config, rng)),
  };
}

type AtRest<Encoder> = BundleTree<Encoder, NDArray> | BundleTree<Encoder, tf.Tensor>;

/** Host arrays of a tree as constants of the running function. */
function asTensors<T>(tree: unknown): T {
  return treeMap<NDArray | tf.Tensor, tf.Tensor>(tree, (leaf) =>
    isNDArray(leaf) ? tf.tensor(leaf.data, [...leaf.shape], leaf.dtype) : leaf,
  ) as T;
}

/** Memories in time: a clock and the state of the model (DERIVATION.md, "Bundles"). */
export class TimeBundle extends Bundle {
  constructor(
    readonly config: MemoryConfig,
    readonly tree: AtRest<TimeEncoderParameters<NDArray> | TimeEncoderParameters>,
  ) {
    super({ ...geometryOptions('time', config), parameters: tree });
  }

  /** See `encodeTime`. */
  encode(hidden: tf.Tensor, timeScalars: tf.Tensor, surprise: tf.Tensor): Encoded {
    const parameters = asTensors<TimeEncoderParameters>(this.tree.encoder);
    return encodeTime(parameters, this.config, hidden, timeScalars, surprise);
  }

  override bind(parameters: BundleParameters): this {
    return new TimeBundle(this.config, parameters as TimeBundle['tree']) as this;
  }
}

/** Memories by what they are about; the base is the unit sphere, and paths are great circles. */
export class TopicBundle extends Bundle {
  constructor(
    readonly config: MemoryConfig,
    readonly tree: AtRest<TopicEncoderParameters<NDArray> | TopicEncoderParameters>,
  ) {
    super({ ...geometryOptions('topic', config), parameters: tree });
  }

  /** See `encodeTopic`. */
  encode(hidden: tf.Tensor, centroid: tf.Tensor): Encoded {
    return encodeTopic(asTensors<TopicEncoderParameters>(this.tree.encoder), this.config, hidden, centroid);
  }

  override bind(parameters: BundleParameters): this {
    return new TopicBundle(this.config, parameters as TopicBundle['tree']) as this;
  }
}

/** Memories by the conversation around them. */
export class ContextBundle extends Bundle {
  constructor(
    readonly config: MemoryConfig,
    readonly tree: AtRest<ContextEncoderParameters<NDArray> | ContextEncoderParameters>,
  ) {
    super({ ...geometryOptions('ctx', config), parameters: tree });
  }

  /** See `encodeContext`. */
  encode(hidden: tf.Tensor, sessionSummary: tf.Tensor, prevTurns?: tf.Tensor): Encoded {
    const parameters = asTensors<ContextEncoderParameters>(this.tree.encoder);
    return encodeContext(parameters, this.config, hidden, sessionSummary, prevTurns);
  }

  override bind(parameters: BundleParameters): this {
    return new ContextBundle(this.config, parameters as ContextBundle['tree']) as this;
  }
}
