import { expect, it } from 'vitest';
import { floatsToHalves, floatToHalf } from '../src/index.js';

it('halves of a whole array are those of its numbers, at every rounding', () => {
  const ends = [0, 0xfff, 0x1000, 0x1001];
  const patterns = Uint32Array.from({ length: 2 ** 16 }, (_, i) => (i << 16) | ends[i % 4]!);
  const special = [0, -0, 65504, 65519.9, 65520, -65520, 2 ** -14, 2 ** -25, 1e-9, Number.NaN];
  const values = Float32Array.from([...new Float32Array(patterns.buffer), ...special]);
  const found = [...floatsToHalves(values)];
  const wrong = found.findIndex((bits, i) => bits !== floatToHalf(values[i]!) && !Number.isNaN(values[i]));
  expect(wrong).toBe(-1);
});
