import { tf } from '@palimpsest/tensor-core';

/**
 * (I + A)⁻¹ of a strictly lower triangular A, block by block as substitution does it: from the inverses of the diagonal
 * blocks of one size follow those of twice the size, X − X A₂₁ X for the part A₂₁ that joins two of them. A series of powers
 * would take as many products, but its terms grow like binomial coefficients where keys repeat. Products of the whole
 * matrix stand for those of its blocks, whose zeros add nothing.
 * @param lower A, [..., count, count]
 */
export function unitLowerInverse(lower: tf.Tensor): tf.Tensor {
  return tf.customGrad((given, save) => {
    const a = given as tf.Tensor;
    const count = a.shape.at(-1)!;
    let inverse = tf.sub(identity(count), tf.mul(a, joins(count, 1)));
    for (let size = 2; size < count; size *= 2) {
      const joined = tf.matMul(tf.matMul(inverse, tf.mul(a, joins(count, size))), inverse);
      inverse = tf.sub(inverse, joined);
    }
    (save as tf.GradSaveFunc)([inverse]);
    return {
      value: inverse,
      gradFunc: (dy, saved) => {
        const flipped = turned((saved as tf.Tensor[])[0]!);
        return tf.neg(tf.matMul(tf.matMul(flipped, dy as tf.Tensor), flipped));
      },
    };
  })(lower);
}

function turned(x: tf.Tensor): tf.Tensor {
  const axes = x.shape.map((_, axis) => axis);
  return tf.transpose(x, [...axes.slice(0, -2), x.rank - 1, x.rank - 2]);
}

function identity(count: number): tf.Tensor {
  return square(count, (row, column) => row === column);
}

/** Ones where the second of two neighbouring blocks of `size` rows meets the columns of the first. */
function joins(count: number, size: number): tf.Tensor {
  return square(count, (row, column) => {
    const [down, across] = [Math.floor(row / size), Math.floor(column / size)];
    return down % 2 === 1 && across === down - 1;
  });
}

function square(count: number, holds: (row: number, column: number) => boolean): tf.Tensor {
  const values = Float32Array.from({ length: count * count }, (_, index) =>
    Number(holds(Math.floor(index / count), index % count)),
  );
  return tf.tensor2d(values, [count, count]);
}
