import { hasDecodingKernels } from '@palimpsest/base';
import type { JsonObject, SequenceModel } from '@palimpsest/lm';
import { embedding, full, linear, type NDArray, rmsNorm, swiGlu, tf } from '@palimpsest/tensor-core';
import { withHostDecoder } from './host/control-decoder.js';
import { deviations, type Mixer, type Stack, type Tensors } from './mixers/mixer.js';

/** A stack of blocks of one kind. */
export interface ControlOptions extends Stack {
  readonly vocabSize: number;
  /**
   * `residual`: pre-norm, the mixer and a gated MLP each added to the residual stream; `plain`: the mixers one on the
   * other, as recurrent networks were stacked.
   */
  readonly blocks: 'residual' | 'plain';
  /** Hidden width of the MLP of residual blocks. Default: 8/3 widths, up to a multiple of 8 */
  readonly hidden?: number | undefined;
}

interface Mlp {
  readonly mlpNorm: tf.Tensor;
  readonly up: tf.Tensor;
  readonly down: tf.Tensor;
}

interface BlockParams extends Partial<Mlp> {
  readonly mixer: Tensors;
  readonly mixerNorm?: tf.Tensor;
}

interface ControlParams {
  readonly tokenEmbedding: tf.Tensor;
  readonly blocks: readonly BlockParams[];
  readonly norm: tf.Tensor;
}

type ControlState = readonly Tensors[];

const MLP_RATIO = 8 / 3;

/**
 * The models with which mechanisms are compared: one frame, and one mixer in every block. Logits come from the embedding.
 * @param name of the architecture
 * @param config everything that makes the same model again
 */
export function createControlModel(
  name: string,
  config: JsonObject,
  options: ControlOptions,
  mixer: Mixer,
): SequenceModel<ControlParams, ControlState> {
  const { vocabSize, width, layers, hidden = Math.ceil((MLP_RATIO * width) / 8) * 8 } = options;
  const { start, residual } = deviations(options);
  const model: SequenceModel<ControlParams, ControlState> = {
    name,
    config,
    vocabSize,
    init: (rng) => {
      const matrix = (out: number, into: number, deviation = start): NDArray =>
        rng.normalArray([out, into], 0, deviation);
      const frame = () => ({
        mixerNorm: full([width], 1),
        mlpNorm: full([width], 1),
        up: matrix(2 * hidden, width),
        down: matrix(width, hidden, residual),
      });
      return {
        tokenEmbedding: matrix(vocabSize, width),
        blocks: Array.from({ length: layers }, (_, layer) => ({
          mixer: mixer.init(rng, layer),
          ...(options.blocks === 'residual' && frame()),
        })),
        norm: full([width], 1),
      } as never;
    },
    initState: (_params, batch) => Array.from({ length: layers }, () => mixer.start(batch)),
    forward: (params, tokens, state) => {
      let x = embedding(params.tokenEmbedding, tokens);
      const shared = new Map<string, tf.Tensor>();
      const next = params.blocks.map((block, layer) => {
        const [y, after] = blockForward(mixer, block, x, state[layer]!, shared);
        x = y;
        return after;
      });
      return {
        logits: linear(rmsNorm(x, params.norm), params.tokenEmbedding) as tf.Tensor3D,
        state: next,
      };
    },
    step(params, token, state) {
      const [batch] = token.shape;
      const tokens = tf.reshape(token, [batch, 1]) as tf.Tensor2D;
      const { logits, state: next } = this.forward(params, tokens, state, { training: false });
      return { logits: tf.reshape(logits, [batch, vocabSize]) as tf.Tensor2D, state: next };
    },
    parameterGroups: () => [{ match: /(orm|kernel|tokenEmbedding)$/, decays: false }],
  };
  const fits = mixer.host && [width, hidden].every((extent) => extent % 4 === 0) && hasDecodingKernels();
  return fits ? withHostDecoder(model, mixer.host) : model;
}

function blockForward(
  mixer: Mixer,
  block: BlockParams,
  x: tf.Tensor,
  state: Tensors,
  shared: Map<string, tf.Tensor>,
): readonly [tf.Tensor, Tensors] {
  const { mixerNorm, mlpNorm, up, down } = block;
  if (!mixerNorm || !mlpNorm || !up || !down) return mixer.mix(block.mixer, x, state, shared);
  const [mixed, after] = mixer.mix(block.mixer, rmsNorm(x, mixerNorm), state, shared);
  const attended = tf.add(x, mixed);
  const [gate, value] = tf.split(linear(rmsNorm(attended, mlpNorm), up), 2, -1) as [tf.Tensor, tf.Tensor];
  return [tf.add(attended, linear(swiGlu(gate, value), down)), after];
}
