import { stopGradient, tf } from '@palimpsest/tensor-core';
import type { BlockPlan } from '../../tables.js';
import type { FeatureForm } from './feature-form.js';
import { spreadRows } from './gather-rows.js';
import type { PairPlan } from './pair-plan.js';
import { concatRows, pairsForm, sliceLength, sumClasses } from './pairs.js';

/**
 * Form F4: the read-out as one bilinear form, W_1 gathered over all pairs of buckets and multiplied with the outer
 * products (DERIVATION.md, "Feature path"). Nothing but matrix products and one gather of parameters: for engines where those are fast and
 * everything else is not. The features themselves never exist.
 */
export const bilinearForm: FeatureForm = (input, plan) => {
  const { query, prefix, weight, energy, wantPsi } = input;
  const tokens = query.shape[0]!;
  const pairWeight = gatherPairs(tf.transpose(weight), plan.sums);
  const step = sliceLength(plan.query.used.length * plan.key.used.length, tokens);
  const parts: tf.Tensor[] = [];
  for (let from = 0; from < tokens; from += step) {
    const size = Math.min(step, tokens - from);
    const [q, k] = [query, prefix].map((x) => tf.slice(x, [from, 0], [size, -1])) as [tf.Tensor, tf.Tensor];
    parts.push(projectProducts(q, k, pairWeight, plan));
  }
  const projected = concatRows(parts);
  if (energy === 'none' && !wantPsi) return { projected };
  const reported = pairsForm({ ...input, query: stopGradient(query), prefix: stopGradient(prefix) }, plan);
  return { ...reported, projected };
};

/** W_1 transposed, [m, hidden], as one row per pair, [pairs, hidden]; the gradient sums the pairs of every bucket. */
function gatherPairs(weight: tf.Tensor, sums: PairPlan): tf.Tensor {
  const gather = tf.customGrad((rows) => ({
    value: tf.gather(rows as tf.Tensor, tf.tensor1d(sums.pairToBucket, 'int32')),
    gradFunc: (dy: tf.Tensor) => {
      const withZeros = tf.concat([dy, tf.zeros([1, dy.shape[1]!])], 0);
      return spreadRows(sumClasses(withZeros, sums), sums.place);
    },
  }));
  return gather(weight);
}

/** Real and imaginary half of [n, 2 u] rows as [n, u, 1] or [n, 1, u]. */
function halves(x: tf.Tensor, width: number, axis: 1 | 2): [tf.Tensor, tf.Tensor] {
  const shape = axis === 1 ? [-1, width, 1] : [-1, 1, width];
  const part = (from: number) => tf.reshape(tf.slice(x, [0, from], [-1, width]), shape);
  return [part(0), part(width)];
}

function outerProducts(query: tf.Tensor, key: tf.Tensor, plan: BlockPlan): tf.Tensor {
  const [qRe, qIm] = halves(query, plan.query.used.length, 1);
  const [kRe, kIm] = halves(key, plan.key.used.length, 2);
  return tf.sub(tf.mul(qRe, kRe), tf.mul(qIm, kIm));
}

/** [n, 2 u] as [n, u, 2] with the sign of i squared on the imaginary part. */
function signedColumns(x: tf.Tensor, width: number): tf.Tensor3D {
  const columns = tf.transpose(tf.reshape(x, [-1, 2, width]), [0, 2, 1]);
  return tf.mul(columns, tf.tensor1d([1, -1])) as tf.Tensor3D;
}

/** The inverse of the layout of `signedColumns`, its sign being applied already. */
function joinColumns(x: tf.Tensor, width: number): tf.Tensor {
  return tf.reshape(tf.transpose(x, [0, 2, 1]), [-1, 2 * width]);
}

/** Outer products of a slice times the pair weights: [n, hidden]. Recomputes the products for the gradient. */
function projectProducts(
  query: tf.Tensor,
  prefix: tf.Tensor,
  pairWeight: tf.Tensor,
  plan: BlockPlan,
): tf.Tensor {
  const widthQuery = plan.query.used.length;
  const widthKey = plan.key.used.length;
  const flat = (products: tf.Tensor) => tf.reshape(products, [-1, widthQuery * widthKey]) as tf.Tensor2D;
  const project = tf.customGrad((...inputs) => {
    const save = inputs.pop() as tf.GradSaveFunc;
    const [left, right, table] = inputs as tf.Tensor[];
    save([left!, right!, table!]);
    return {
      value: tf.matMul(flat(outerProducts(left!, right!, plan)), table as tf.Tensor2D),
      gradFunc: (dy: tf.Tensor, [q, k, w]: tf.Tensor[]) => {
        const products = flat(outerProducts(q!, k!, plan));
        const dProducts = tf.reshape(tf.matMul(dy as tf.Tensor2D, w as tf.Tensor2D, false, true), [
          -1,
          widthQuery,
          widthKey,
        ]) as tf.Tensor3D;
        const dQuery = tf.matMul(dProducts, signedColumns(k!, widthKey));
        const dKey = tf.matMul(dProducts, signedColumns(q!, widthQuery), true, false);
        return [
          joinColumns(dQuery, widthQuery),
          joinColumns(dKey, widthKey),
          tf.matMul(products, dy as tf.Tensor2D, true, false),
        ] as unknown as tf.Tensor[];
      },
    };
  });
  return project(query, prefix, pairWeight);
}
