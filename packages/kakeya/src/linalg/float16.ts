import { floatToHalf, halfToFloat } from '@palimpsest/base';

/** Rounds a number to the nearest half, as a number. */
export function roundToHalf(value: number): number {
  return halfToFloat(floatToHalf(value));
}

/** {@link roundToHalf} of all numbers, in place. */
export function roundAllToHalf(values: Float32Array): Float32Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < bits.length; i++) {
    const own = bits[i]!;
    const exponent = (own >>> 23) & 0xff;
    // Well inside of the range of halves: add half of the last place that stays, to the even one on ties, and cut.
    if (exponent >= 113 && exponent < 142) bits[i] = (own + 0xfff + ((own >>> 13) & 1)) & 0xffffe000;
    else values[i] = roundToHalf(values[i]!);
  }
  return values;
}
