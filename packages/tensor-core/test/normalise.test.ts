import { afterAll, describe, expect, test } from 'vitest';
import { InputError, type NDArray, ndarray, normalise, tf } from '../src/index.js';
import { loadableEngines } from './support/engines.js';

const engines = await loadableEngines();
afterAll(async () => {
  for (const engine of engines) await engine.dispose();
});

/** Unit vectors of the rows, and the slopes of Σ weight · unit, in float64. */
function expected(rows: readonly (readonly number[])[], weights: readonly (readonly number[])[]) {
  const lengths = rows.map((row) => Math.hypot(...row));
  const units = rows.map((row, r) => row.map((x) => (lengths[r]! > 1e-12 ? x / lengths[r]! : 0)));
  const slopes = units.map((unit, r) => {
    const along = unit.reduce((sum, u, i) => sum + u * weights[r]![i]!, 0);
    return unit.map((u, i) => (lengths[r]! > 1e-12 ? (weights[r]![i]! - u * along) / lengths[r]! : 0));
  });
  return { units, slopes };
}

const close = (actual: ArrayLike<number>, wanted: readonly number[]) => {
  const largest = Math.max(...wanted.map(Math.abs), 1e-30);
  Array.from(actual).forEach((value, index) => {
    expect(Math.abs(value - wanted[index]!) / largest).toBeLessThan(1e-6);
  });
};

const ROWS = [
  [3, 4, 0],
  [0, 0, 0],
  [-1e-3, 2e-3, 5e-3],
  [3e30, -2e30, 1e30],
  [2e-25, 1e-25, 2e-25],
  [0, 7, 0],
];
const WEIGHTS = ROWS.map((row, r) => row.map((_, i) => Math.sin(3 * r + i + 1)));

describe.each(engines.map((engine) => [engine.name, engine] as const))('normalise on %s', (_name, engine) => {
  const run = async (x: NDArray, weights: NDArray, axis: number, epsilon: number) => {
    const compiled = engine.compile((a: tf.Tensor, w: tf.Tensor) => [
      normalise(a, axis, epsilon),
      tf.grad((b) => tf.sum(tf.mul(normalise(b, axis, epsilon), w)))(a),
    ]);
    const [unit, slope] = await compiled(x as never, w(weights) as never);
    const values = [await unit!.data(), await slope!.data()];
    await compiled.dispose();
    return values;
  };
  const w = (weights: NDArray) => weights;

  test('scales rows of every size, and leaves a zero row without a gradient', async () => {
    // Row by row, so that the small ones are not measured against the large.
    for (const [r, row] of ROWS.entries()) {
      const epsilon = r === 4 ? 1e-30 : 1e-12;
      const [unit, slope] = await run(ndarray(row, [1, 3]), ndarray(WEIGHTS[r]!, [1, 3]), -1, epsilon);
      const length = Math.hypot(...row);
      const plain = expected([row], [WEIGHTS[r]!]);
      const along = row.reduce((sum, x, i) => sum + (x / length) * WEIGHTS[r]![i]!, 0);
      const tiny = row.map((x, i) => (WEIGHTS[r]![i]! - (x / length) * along) / length);
      close(unit!, r === 4 ? row.map((x) => x / length) : plain.units[0]!);
      close(slope!, r === 4 ? tiny : plain.slopes[0]!);
    }
  });

  test('works along another axis', async () => {
    const columns = [0, 1, 2].flatMap((i) => [ROWS[0]![i]!, ROWS[1]![i]!, ROWS[2]![i]!]);
    const weights = [0, 1, 2].flatMap((i) => [WEIGHTS[0]![i]!, WEIGHTS[1]![i]!, WEIGHTS[2]![i]!]);
    const [unit, slope] = await run(ndarray(columns, [3, 3]), ndarray(weights, [3, 3]), 0, 1e-12);
    const plain = expected(ROWS.slice(0, 3), WEIGHTS.slice(0, 3));
    const column = (values: ArrayLike<number>, c: number) => [0, 1, 2].map((i) => values[3 * i + c]!);
    for (const c of [0, 1, 2]) {
      close(column(unit!, c), plain.units[c]!);
      close(column(slope!, c), plain.slopes[c]!);
    }
  });

  test('says what is wrong with an axis', async () => {
    const wrong = engine.compile((a: tf.Tensor) => normalise(a, 2));
    await expect(wrong(ndarray([1, 2]) as never)).rejects.toThrow(InputError);
  });
});
