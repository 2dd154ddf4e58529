import { expect, it } from 'vitest';
import { fnv1a, hex32 } from '../src/index.js';

it.each([
  // Published test vectors of the algorithm.
  ['', '811c9dc5'],
  ['a', 'e40c292c'],
  ['foobar', 'bf9cf968'],
])('FNV-1a of %j is %s', (text, digits) => {
  expect(hex32(fnv1a(text))).toBe(digits);
  const half = Math.floor(text.length / 2);
  expect(fnv1a(text.slice(half), fnv1a(text.slice(0, half)))).toBe(fnv1a(text));
});

it('reads the bytes that a view shows, and no others', () => {
  const bytes = new TextEncoder().encode('xfoobarx');
  expect(hex32(fnv1a(bytes.subarray(1, 7)))).toBe('bf9cf968');
  expect(hex32(7)).toBe('00000007');
});
