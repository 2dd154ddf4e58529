import { createEngine, ndarray, tf, valueAndGradient } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { positionAngle } from '../src/index.js';
import { toHost } from './support/models.js';

const speeds = [0.5, 0.02, 0.0020001, -0.31, 1e-5, 3.7];
const positions = [0, 1, 77, 4095, 4096, 65_537, 1_000_003, 16_777_215];

/** Distance of two angles on the circle. */
function turnDistance(a: number, b: number): number {
  const difference = (a - b) / (2 * Math.PI);
  return Math.abs(difference - Math.round(difference)) * 2 * Math.PI;
}

describe.each(['cpu', 'onnx'] as const)('position angles on %s', async (name) => {
  const engine = await createEngine(name);

  it('keep 5e-6 of the float64 product up to position 2^24, where a float32 product is lost', async () => {
    const angle = engine.compile((omega: tf.Tensor, t: tf.Tensor) => positionAngle(omega, t));
    const result = await toHost<{ data: Float32Array }>(
      await angle(ndarray(speeds), ndarray(positions, [positions.length], 'int32')),
    );
    let naive = 0;
    positions.forEach((t, row) => {
      speeds.forEach((speed, column) => {
        const exact = Math.fround(speed) * t;
        expect(
          turnDistance(result.data[row * speeds.length + column]!, exact),
          `${speed} x ${t}`,
        ).toBeLessThan(5e-6);
        naive = Math.max(naive, turnDistance(Math.fround(exact), exact));
      });
    });
    expect(naive).toBeGreaterThan(0.1);
  });

  it('hand the position to the speed as its gradient', async () => {
    const gradient = engine.compile((omega: tf.Tensor, t: tf.Tensor) => {
      const { gradients } = valueAndGradient((x: tf.Tensor) => tf.sum(positionAngle(x, t)), omega);
      return gradients as unknown as tf.Tensor;
    });
    const result = await toHost<{ data: Float32Array }>(
      await gradient(ndarray([0.1, 0.2]), ndarray([3, 10], [2], 'int32')),
    );
    expect([...result.data]).toEqual([13, 13]);
  });
});
