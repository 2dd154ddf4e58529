import { tf } from '@palimpsest/tensor-core';
import { type ProjectionParams, regionOf } from '../parameters.js';
import type { PassPlan } from '../plan.js';
import { groupNorm, groupProduct, plainNorm, splitProduct } from '../products.js';
import type { PassContext } from './pass-context.js';
import { byRegion, type Region } from './regions.js';

/** The rows that enter a pass, projected: into queries, keys and values, or into hidden vectors. */
export function enter(
  { setup, plan, params, groups }: PassContext,
  rows: tf.Tensor | undefined,
  into: 'qkv' | 'hidden',
): tf.Tensor {
  const { numHeads: heads } = setup.config;
  const project = (x: tf.Tensor, region: Region) => {
    const weights = regionOf(params.projections, region);
    const product = projected(x, weights, weights[into]!, plan, heads);
    return into === 'qkv' ? normQkv(product, weights, plan) : product;
  };
  if (rows) return byRegion(groups, rows, project);
  const pieces = groups.map((group) => project(group.rows, group.region));
  return pieces.length === 1 ? pieces[0]! : tf.concat(pieces, 2);
}

function projected(
  x: tf.Tensor,
  { inputNorm }: ProjectionParams,
  weight: tf.Tensor,
  plan: PassPlan,
  heads: number,
): tf.Tensor {
  if (plan.index > 0) return groupProduct(inputNorm ? groupNorm(x, inputNorm) : x, weight);
  if (!inputNorm) return splitProduct(x, weight, heads);
  // Every head has gains of its own, so that the heads no longer share their input.
  const [l, batch, rows, d] = x.shape as [number, number, number, number];
  const normal = tf.reshape(plainNorm(x), [l, 1, batch * rows, d]);
  const shape = [l, heads, 1, d];
  const scaled = tf.add(tf.mul(normal, tf.reshape(inputNorm.gain, shape)), tf.reshape(inputNorm.bias, shape));
  const perHead = tf.transpose(tf.reshape(weight, [l, d, heads, weight.shape[2]! / heads]), [0, 2, 1, 3]);
  return groupProduct(tf.reshape(scaled, [l * heads, batch, rows, d]), perHead);
}

/** Normalises queries, keys and values of every head, where the configuration asks for it. */
export function normQkv(packed: tf.Tensor, weights: ProjectionParams, plan: PassPlan): tf.Tensor {
  const { queryNorm, keyNorm, valueNorm } = weights;
  if (!queryNorm || !keyNorm || !valueNorm) return packed;
  const parts = plan.kind === 'differential' ? 2 : 1;
  const [q, k, v] = tf.split(
    packed,
    [parts * plan.keyWidth, parts * plan.keyWidth, parts * plan.valueWidth],
    -1,
  );
  return tf.concat([groupNorm(q!, queryNorm), groupNorm(k!, keyNorm), groupNorm(v!, valueNorm)], -1);
}
