const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/** IEEE half precision to single, subnormals, infinities and NaN included. */
export function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * powers[exponent]!;
}

/** 2 to the power of a stored exponent: blocks of weights have millions of such numbers. */
const powers = Float64Array.from({ length: 31 }, (_, exponent) => 2 ** (exponent - 15));

let halfTable: Float32Array | undefined;

/** Half precision to single for a whole array, through a table of all 65,536 patterns. */
export function halvesToFloats(bits: Uint16Array): Float32Array {
  halfTable ??= Float32Array.from({ length: 2 ** 16 }, (_, pattern) => halfToFloat(pattern));
  const values = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) values[i] = halfTable[bits[i]!]!;
  return values;
}

/** Single to half precision, rounding to nearest, ties to even; too large becomes infinity. */
export function floatToHalf(value: number): number {
  scratch[0] = value;
  const bits = scratchBits[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = Math.abs(scratch[0]!);
  if (Number.isNaN(value)) return sign | 0x7e00;
  if (magnitude >= 65520) return sign | 0x7c00;
  if (magnitude < 2 ** -14) return sign | roundToEven(magnitude * 2 ** 24);
  const exponent = Math.floor(Math.log2(magnitude));
  const scaled = roundToEven((magnitude / 2 ** exponent - 1) * 1024);
  // A fraction rounded up to 1024 carries into the exponent by itself.
  return sign | (((exponent + 15) << 10) + scaled);
}

/** The same for a whole array, on the bits. */
export function floatsToHalves(values: Float32Array): Uint16Array {
  const patterns = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const bits = patterns[i]!;
    const magnitude = bits & 0x7fffffff;
    // Numbers outside of the normal ones of half precision are rare.
    if (magnitude < 0x38800000 || magnitude >= 0x477ff000) halves[i] = floatToHalf(values[i]!);
    else
      halves[i] =
        ((bits >>> 16) & 0x8000) | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
  }
  return halves;
}

function roundToEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest > 0.5 || (rest === 0.5 && floor % 2 === 1)) return floor + 1;
  return floor;
}

/** bfloat16 to single for a whole array: the 16 bits are the upper half of the 32. */
export function bfloatsToFloats(bits: Uint16Array): Float32Array {
  const patterns = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) patterns[i] = bits[i]! << 16;
  return new Float32Array(patterns.buffer);
}

/** Single to bfloat16, rounding to nearest, ties to even. */
export function floatToBfloat(value: number): number {
  scratch[0] = value;
  const bits = scratchBits[0]!;
  if (Number.isNaN(value)) return ((bits >>> 16) & 0x8000) | 0x7fc0;
  const rounded = bits + 0x7fff + ((bits >>> 16) & 1);
  return (rounded >>> 16) & 0xffff;
}

/** Eight-bit floats to single, for a whole array: E5M2 is half precision cut to its upper byte, E4M3 has no infinities. */
export function eightBitsToFloats(format: 'F8_E4M3' | 'F8_E5M2', bits: Uint8Array): Float32Array {
  const ofPattern = format === 'F8_E5M2' ? (pattern: number) => halfToFloat(pattern << 8) : e4m3ToFloat;
  const table = Float32Array.from({ length: 2 ** 8 }, (_, pattern) => ofPattern(pattern));
  return Float32Array.from(bits, (pattern) => table[pattern]!);
}

function e4m3ToFloat(bits: number): number {
  const sign = bits & 0x80 ? -1 : 1;
  const exponent = (bits >> 3) & 0xf;
  const fraction = bits & 7;
  if (exponent === 15 && fraction === 7) return Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -9;
  return sign * (1 + fraction / 8) * 2 ** (exponent - 7);
}
