import { formatShape, InputError, linear, type NDArray, type Rng, tf } from '@palimpsest/tensor-core';
import { runCell } from './cell.js';
import { type OmConfig, type OmOptions, resolveConfig } from './config.js';
import { keyedDropout } from './dropout.js';
import { embedIds } from './embedding.js';
import { runSegments, type SegmentsOptions } from './forms.js';
import { initParameters } from './initialization.js';
import { finishLayer } from './layer.js';
import { splitLayers } from './layer-stack.js';
import type { OmParams } from './parameters.js';
import { contextIds, isCausal } from './plan.js';
import { layoutMask, layoutRows } from './segment.js';
import { type AttentionWatcher, createSetup, type Setup } from './setup.js';

export interface CallOptions extends SegmentsOptions {
  /** int32 [2]; new for every training step. Absent: nothing is dropped. */
  readonly dropoutKey?: tf.Tensor | undefined;
  readonly watch?: AttentionWatcher | undefined;
}

export interface OmResult {
  /** `[batch, T, V']`, or `[batch, 1, V']` of the last position; padded ids have −Infinity. */
  readonly logits: tf.Tensor;
  /** `[batch, S, d]` per layer. */
  readonly states: tf.Tensor[];
}

/** The setup of one call. */
export function setupOf(config: OmConfig, { dropoutKey, watch }: CallOptions = {}): Setup {
  return createSetup(config, {
    drop: dropoutKey && keyedDropout(config, dropoutKey),
    watch,
  });
}

/** Logits of the ids that exist, `[..., V]`. @param rows output of the last layer, `[..., d·m]` */
export function readHead(config: OmConfig, { head }: OmParams, rows: tf.Tensor): tf.Tensor {
  const { vocabSize, vocabOffset } = config;
  const own = (tensor: tf.Tensor) =>
    vocabOffset === 0 ? tensor : tf.slice(tensor, 0, [vocabSize, ...tensor.shape.slice(1)]);
  return linear(rows, own(head.weight), head.bias && own(head.bias));
}

/** Learned states before the first segment, `[batch, S, d]` per layer. */
export function initialStates(params: OmParams, batch: number): tf.Tensor[] {
  const { initState } = params.layers;
  return tf.unstack(initState, 0).map((state) => tf.tile(tf.expandDims(state, 0), [batch, 1, 1]));
}

/**
 * The whole model: embeddings with n-grams, a stack of attentive recurrent layers, a head. Reads texts of any length in
 * segments of `segmentLen` tokens; what passes from one to the next are the states, `[batch, stateLen, dimInput]` per layer.
 */
export class OmLLM {
  readonly config: OmConfig;

  /** @throws InputError for options that are wrong or do not fit together. */
  constructor(options: OmOptions) {
    this.config = resolveConfig(options);
  }

  /** Fresh parameters on the host. Equal seeds give equal parameters. */
  init(rng: Rng): OmParams<NDArray> {
    return initParameters(this.config, rng);
  }

  /**
   * Pure and traceable.
   * @param ids int32 `[batch, g + T]`: the first g = (longest n-gram) − 1 are context only, pad ids before a text
   * @param states of a former call, or [] for the learned first ones; of one text they are repeated over the batch
   * @param nextToken logits of the last position only; the states then stay those before a last segment that is not full
   * @throws InputError for fewer than g + 1 ids, or states of another shape.
   */
  forward(
    params: OmParams,
    ids: tf.Tensor,
    states: readonly tf.Tensor[] = [],
    nextToken = false,
    options: CallOptions = {},
  ): OmResult {
    const { config } = this;
    const batch = ids.shape[0]!;
    const before = this.#checkedStates(params, ids, states);
    const setup = setupOf(config, options);
    const x = embedIds(config, params, ids);
    if (!nextToken) {
      const { output, states: after } = runSegments(setup, params, x, before, options);
      return { logits: this.#padded(readHead(config, params, output)), states: [...after] };
    }
    const tokens = x.shape[1]!;
    const open = tokens % config.segmentLen;
    const closed = tokens - open;
    const d = config.dimInput;
    const whole =
      closed > 0
        ? runSegments(setup, params, tf.slice(x, [0, 0, 0], [batch, closed, d]), before, {
            ...options,
            onlyLast: true,
          })
        : undefined;
    const after = whole ? whole.states : before;
    const output =
      open > 0
        ? readOpen(setup, params, tf.slice(x, [0, closed, 0], [batch, open, d]), after)
        : whole!.output;
    const width = output.shape[2]!;
    const last = tf.slice(output, [0, output.shape[1]! - 1, 0], [batch, 1, width]);
    return { logits: this.#padded(readHead(config, params, last)), states: [...after] };
  }

  /** Logits with −Infinity for the padded ids; a constant, so that nothing flows back through it. */
  #padded(logits: tf.Tensor): tf.Tensor {
    const { vocabOffset } = this.config;
    if (vocabOffset === 0) return logits;
    return tf.concat([logits, tf.fill([...logits.shape.slice(0, -1), vocabOffset], -Infinity)], -1);
  }

  #checkedStates(params: OmParams, ids: tf.Tensor, states: readonly tf.Tensor[]): tf.Tensor[] {
    const { numLayers, stateLen, dimInput } = this.config;
    const context = contextIds(this.config);
    if (ids.rank !== 2 || ids.shape[1]! <= context) {
      throw new InputError(
        `Om reads ids [batch, ${context} + tokens] with at least one token, but got ${formatShape(ids.shape)}; put ${context} pad ids before a text.`,
      );
    }
    const batch = ids.shape[0]!;
    if (states.length === 0) return initialStates(params, batch);
    if (states.length !== numLayers) {
      throw new InputError(
        `Om needs a state per layer, ${numLayers} in all, but ${states.length} were given.`,
      );
    }
    return states.map((state, layer) => {
      const [rows, ...rest] = state.shape;
      if (rest.join() !== `${stateLen},${dimInput}` || (rows !== batch && rows !== 1)) {
        throw new InputError(
          `The state of layer ${layer} has shape [${batch}, ${stateLen}, ${dimInput}], but ${formatShape(state.shape)} was given.`,
        );
      }
      return rows === batch ? state : tf.tile(state, [batch, 1, 1]);
    });
  }
}

/**
 * A segment that stays open: its tokens, and no write rows, unless positions of the reference look at them.
 * @returns `[batch, tokens, d·m]`
 */
function readOpen(setup: Setup, params: OmParams, x: tf.Tensor, states: readonly tf.Tensor[]): tf.Tensor {
  if (!isCausal(setup.config)) return runSegments(setup, params, x, states).output;
  const S = setup.config.stateLen;
  const tokens = x.shape[1]!;
  let rows = tf.expandDims(x, 0);
  for (const [layer, stack] of splitLayers(params).entries()) {
    const places = [{ layer, segment: 0 }];
    const { output } = runCell(
      setup,
      stack.params,
      [
        { region: 'read', rows: tf.expandDims(states[layer]!, 0) },
        { region: 'token', rows },
      ],
      {
        places,
        rows: layoutRows(setup, tokens, 'read', 'token'),
        ...layoutMask(setup, S + tokens, S + tokens),
      },
    );
    rows = finishLayer(setup, stack.params, stack.part, rows, output!, places);
  }
  return tf.squeeze(rows, [0]);
}
