const view = new DataView(new ArrayBuffer(4));

/** Bits of the nearest IEEE half (ties to even); magnitudes above 65504 become infinity. */
export function toHalfBits(value: number): number {
  view.setFloat32(0, value);
  const bits = view.getUint32(0);
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
