const single = new Float32Array(1);
const singleBits = new Uint32Array(single.buffer);

/** Bits of the nearest IEEE half (ties to even); magnitudes above 65504 become infinity. */
export function toHalfBits(value: number): number {
  single[0] = value;
  const bits = singleBits[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const exponent = ((bits >>> 23) & 0xff) - 112;
  const mantissa = bits & 0x7fffff;
  if (exponent >= 31) {
    const notANumber = ((bits >>> 23) & 0xff) === 255 && mantissa !== 0;
    return sign | (notANumber ? 0x7e00 : 0x7c00);
  }
  if (exponent > 0) return sign | roundShift((exponent << 23) | mantissa, 13);
  if (exponent < -10) return sign;
  return sign | roundShift(mantissa | 0x800000, 14 - exponent);
}

function roundShift(value: number, shift: number): number {
  const kept = value >>> shift;
  const rest = value & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return rest > half || (rest === half && (kept & 1) === 1) ? kept + 1 : kept;
}

/** Value of an IEEE half. */
export function fromHalfBits(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 0x1f;
  const mantissa = half & 0x3ff;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

/** Rounds a number to the nearest half, as a number. */
export function roundToHalf(value: number): number {
  return fromHalfBits(toHalfBits(value));
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
