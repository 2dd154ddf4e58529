import { InputError, type NDArray, type Rng, tf } from '@palimpsest/tensor-core';
import { runCell } from './cell.js';
import { type OmConfig, type OmOptions, resolveConfig } from './config.js';
import { initArc, initLayers, initMlp } from './initialization.js';
import type { MlpPart } from './layer.js';
import { type CallOptions, setupOf } from './om-llm.js';
import type { ArcParams, LayerParams } from './parameters.js';
import { layoutMask, layoutRows, runSegment } from './segment.js';

type Size = 'vocabSize' | 'initNgrams' | 'initConvs' | 'vocabPadMultiple' | 'vocabOffset' | 'padId';

/** Options of a layer, and which of the `numLayers` layers it is, from 0 on. */
export type ArcformerOptions = Omit<OmOptions, Size | 'finalMlpMultiplier'> & {
  readonly layerNum: number;
  /** Factor on hidden and output width of this layer's MLP; readme edition. Default 1 */
  readonly mlpMultiplier?: number;
};
/** Options of an attention block alone. */
export type ArcOptions = Omit<ArcformerOptions, 'dimHidden' | 'activation' | 'mlp1221' | 'mlpMultiplier'>;

/** What a layer gives: `[batch, n, d]`, and the state that the segment leaves, `[batch, S, d]`. */
export interface SegmentOutput {
  readonly output: tf.Tensor;
  readonly state: tf.Tensor;
}

function configOf({ layerNum, mlpMultiplier = 1, ...options }: ArcformerOptions): OmConfig {
  const config = resolveConfig({ ...options, vocabSize: 1, finalMlpMultiplier: mlpMultiplier });
  if (!Number.isInteger(layerNum) || layerNum < 0 || layerNum >= config.numLayers) {
    throw new InputError(
      `layerNum counts layers from 0 to ${config.numLayers - 1} (numLayers - 1), but ${layerNum} was given.`,
    );
  }
  return config;
}

/** The attentive recurrent cell of one layer: the attention block without residual, norm and MLP. */
export class ARC {
  readonly config: OmConfig;
  readonly layerNum: number;

  /** @throws InputError for options that are wrong or do not fit together. */
  constructor(options: ArcOptions) {
    this.config = configOf({ ...options, dimHidden: 2 });
    this.layerNum = options.layerNum;
  }

  /** Fresh parameters on the host, a stack of one. */
  init(rng: Rng): ArcParams<NDArray> {
    return initArc(this.config, rng, this.layerNum, 1);
  }

  /**
   * One segment, whole or not. Pure and traceable.
   * @param x `[batch, n, d]`
   * @param state `[batch, S, d]`
   * @returns output `[batch, n, d]`, and what the write rows gathered, `[batch, S, d]`
   */
  forward(params: ArcParams, x: tf.Tensor, state: tf.Tensor, options: CallOptions = {}): SegmentOutput {
    const setup = setupOf(this.config, options);
    const tokens = x.shape[1]!;
    const length = tokens + 2 * this.config.stateLen;
    const [rows, memory] = [tf.expandDims(x, 0), tf.expandDims(state, 0)];
    const { output, written } = runCell(
      setup,
      params,
      [
        { region: 'read', rows: memory },
        { region: 'token', rows },
        { region: 'write', rows: memory },
      ],
      {
        places: [{ layer: this.layerNum, segment: 0 }],
        rows: layoutRows(setup, tokens, 'read', 'write'),
        ...layoutMask(setup, length, length),
      },
    );
    return { output: tf.squeeze(output!, [0]), state: tf.squeeze(written!, [0]) };
  }
}

/** Parameters of one layer: those of a stack of one. */
export type ArcformerParams<T extends NDArray | tf.Tensor = tf.Tensor> = Omit<
  LayerParams<T>,
  'mlp' | 'mlpNorm'
> &
  MlpPartOf<T>;
type MlpPartOf<T extends NDArray | tf.Tensor> = Pick<LayerParams<T>, 'mlp' | 'mlpNorm'>;

/** One layer: the attentive recurrent cell, an MLP, and norms around both. */
export class ARCformer {
  readonly config: OmConfig;
  readonly layerNum: number;

  /** @throws InputError for options that are wrong or do not fit together. */
  constructor(options: ArcformerOptions) {
    this.config = configOf(options);
    this.layerNum = options.layerNum;
  }

  /** Fresh parameters on the host, a stack of one. */
  init(rng: Rng): ArcformerParams<NDArray> {
    const { finalMlpMultiplier: m } = this.config;
    const layer = initLayers({ ...this.config, finalMlpMultiplier: 1 }, rng, this.layerNum, 1);
    if (m === 1) return layer;
    const width = this.config.dimInput * m;
    const widened = (leaf: NDArray, value: number) => ({
      ...leaf,
      shape: [1, width],
      data: new Float32Array(width).fill(value),
    });
    return {
      ...layer,
      mlp: initMlp(this.config, rng, 1, m),
      mlpNorm: {
        gain: widened(layer.mlpNorm.gain, 1) as NDArray,
        bias: widened(layer.mlpNorm.bias, 0) as NDArray,
      },
    };
  }

  /**
   * One segment, whole or not. Pure and traceable.
   * @param x `[batch, n, d]`
   * @param state `[batch, S, d]`
   * @returns output `[batch, n, d·mlpMultiplier]`, state `[batch, S, d]`
   */
  forward(params: ArcformerParams, x: tf.Tensor, state: tf.Tensor, options: CallOptions = {}): SegmentOutput {
    const part: MlpPart = params;
    const result = runSegment(
      setupOf(this.config, options),
      { params, part, places: [{ layer: this.layerNum, segment: 0 }] },
      tf.expandDims(x, 0),
      tf.expandDims(state, 0),
    );
    return { output: tf.squeeze(result.x, [0]), state: tf.squeeze(result.state, [0]) };
  }
}
