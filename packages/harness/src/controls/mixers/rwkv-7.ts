import { full, layerNorm, linear, type NDArray, type Rng, rmsNorm, tf, zeros } from '@palimpsest/tensor-core';
import { generalisedDeltaRule } from '../generalised-delta-rule.js';
import {
  deviations,
  headWidth,
  type Mixer,
  mergeHeads,
  type Stack,
  splitHeads,
  type Tensors,
} from './mixer.js';

/** What a token is mixed with the one before for, each in its own measure. */
const ROLES = ['receptance', 'decay', 'key', 'value', 'rate', 'gate'] as const;
type Role = (typeof ROLES)[number];

/** Rank of the maps from a token to decays, rates, gates and the measure of the first block's values. */
const RANK = 16;
const LENGTH_EPSILON = 1e-6;
/** Of the normalisation of a head's read, in units of its width. */
const READ_EPSILON = 64e-5;
/** Decays are exp(-e^(-1/2) σ(d)), from 0.545 to 1. */
const FASTEST = Math.exp(-0.5);

/**
 * The time mixing of RWKV-7 (Peng et al. 2025): its generalised delta rule with a decay and a rate of replacement per
 * channel, keys that are removed at another length than they are written, values that remember the first block's, and a
 * bonus for the present token; what a head read is normalised and gated. Tokens are mixed with the one before them.
 * @throws InputError when the heads do not divide the width.
 */
export function rwkv7Mixer(stack: Stack, { heads }: { readonly heads: number }): Mixer {
  const { width } = stack;
  const head = headWidth(width, heads);
  const { start, residual } = deviations(stack);
  return {
    init(rng, layer) {
      const matrix = (deviation = start) => rng.normalArray([width, width], 0, deviation);
      return {
        shift: rng.uniformArray([ROLES.length, width]),
        receptance: matrix(),
        key: matrix(),
        value: matrix(),
        output: matrix(residual),
        ...lowRank(rng, 'decay', width, -2),
        ...lowRank(rng, 'rate', width, 0),
        ...lowRank(rng, 'gate', width),
        ...(layer > 0 && lowRank(rng, 'first', width, 1)),
        removalScale: full([width], 0.85),
        rateScale: full([width], 1),
        bonus: zeros([width]),
        norm: full([head], 1),
        normBias: zeros([head]),
      };
    },
    start: (batch) => ({ recent: tf.zeros([batch, 1, width]), sums: tf.zeros([batch, heads, head, head]) }),
    mix(params, x, { recent, sums }, shared) {
      const { mixed, last } = shiftedTokens(x, recent!, params.shift!);
      const ofHead = (part: tf.Tensor) => splitHeads(part, heads);
      const receptance = linear(mixed('receptance'), params.receptance!);
      const rate = tf.sigmoid(throughRank(params, 'rate', mixed('rate')));
      const decay = tf.sigmoid(throughRank(params, 'decay', mixed('decay'), tf.tanh));
      const gate = throughRank(params, 'gate', mixed('gate'), tf.sigmoid);
      const written = linear(mixed('key'), params.key!);
      const value = drawnValue(params, mixed('value'), shared);
      const long = ofHead(tf.mul(written, params.removalScale!));
      const removal = tf.mul(rmsNorm(long, undefined, LENGTH_EPSILON / head), 1 / Math.sqrt(head));
      const key = tf.mul(written, tf.add(tf.mul(tf.sub(rate, 1), params.rateScale!), 1));
      const [read, after] = generalisedDeltaRule(
        {
          query: ofHead(receptance),
          key: ofHead(key),
          value: ofHead(value),
          removal,
          replacement: tf.mul(removal, ofHead(rate)),
          logDecay: ofHead(tf.mul(decay, -FASTEST)),
        },
        sums!,
      );
      const normal = layerNorm(read, params.norm!, params.normBias!, READ_EPSILON);
      const present = tf.sum(ofHead(tf.mul(tf.mul(receptance, key), params.bonus!)), 3, true);
      const whole = mergeHeads(tf.add(normal, tf.mul(present, ofHead(value))));
      return [linear(tf.mul(whole, gate), params.output!), { recent: last, sums: after }];
    },
  };
}

/** Every token with a part of the one before it, [batch, time, width] per role, and the last token. */
function shiftedTokens(x: tf.Tensor, recent: tf.Tensor, shift: tf.Tensor) {
  const [batch, time, width] = x.shape as [number, number, number];
  const padded = tf.concat([recent, x], 1);
  const change = tf.sub(tf.slice(padded, [0, 0, 0], [batch, time, width]), x);
  return {
    mixed: (role: Role) => tf.add(x, tf.mul(change, tf.slice(shift, [ROLES.indexOf(role), 0], [1, width]))),
    last: tf.slice(padded, [0, time, 0], [batch, 1, width]),
  };
}

/** A block's values, drawn to those of the first one by a measure of the token's. */
function drawnValue(params: Tensors, x: tf.Tensor, shared: Map<string, tf.Tensor>): tf.Tensor {
  const own = linear(x, params.value!);
  const first = shared.get('value');
  if (!first) shared.set('value', own);
  if (!first || !params.firstDown) return own;
  const measure = tf.sigmoid(throughRank(params, 'first', x));
  return tf.add(own, tf.mul(tf.sub(first, own), measure));
}

function lowRank(rng: Rng, name: string, width: number, bias?: number): Record<string, NDArray> {
  return {
    [`${name}Down`]: rng.normalArray([RANK, width], 0, 1 / Math.sqrt(width)),
    [`${name}Up`]: rng.normalArray([width, RANK], 0, 1 / Math.sqrt(RANK)),
    ...(bias !== undefined && { [`${name}Bias`]: full([width], bias) }),
  };
}

function throughRank(
  params: Tensors,
  name: string,
  x: tf.Tensor,
  between: (y: tf.Tensor) => tf.Tensor = (y) => y,
): tf.Tensor {
  return linear(between(linear(x, params[`${name}Down`]!)), params[`${name}Up`]!, params[`${name}Bias`]);
}
