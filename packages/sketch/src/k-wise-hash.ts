import { InputError } from '@palimpsest/base';
import { positiveInteger } from './checks.js';
import { Mt19937 } from './mt19937.js';

/** The Mersenne prime 2^31 - 1: products of two residues fit a double after one split. */
const PRIME = 2 ** 31 - 1;

/** A random polynomial of degree k - 1 over the integers modulo 2^31 - 1. */
export interface KWiseHash {
  /** k: the values of any k different keys are independent and uniform over [0, prime). */
  readonly independence: number;
  readonly prime: number;
  /** The polynomial's coefficients, constant first. */
  readonly coefficients: Float64Array;
  /**
   * The value of a key, in [0, prime).
   * @throws InputError unless the key is an integer in [0, prime)
   */
  hash(key: number): number;
  /** A bucket in [0, buckets): the value's remainder, so a bucket's probability is off by less than 1 / prime. */
  bucket(key: number, buckets: number): number;
  /** -1 or +1 by the value's last bit; the two probabilities differ by 1 / prime. */
  sign(key: number): -1 | 1;
}

/**
 * Draws a hash function of stated independence (Wegman & Carter 1981; DERIVATION.md, "Tables"). CountSketch's guarantees need k = 2 for
 * buckets and k = 4 for signs.
 * @param independence k, a positive integer
 * @param seed of a Mersenne Twister, or one whose stream is to be continued
 */
export function kWiseHash(independence: number, seed: number | Mt19937): KWiseHash {
  positiveInteger(independence, 'independence');
  const generator = typeof seed === 'number' ? new Mt19937(seed) : seed;
  const coefficients = Float64Array.from({ length: independence }, () => uniformResidue(generator));
  const hash = (key: number): number => {
    if (!Number.isInteger(key) || key < 0 || key >= PRIME) {
      throw new InputError(`A key must be an integer from 0 to ${PRIME - 1}, but is ${key}.`);
    }
    let value = 0;
    for (let i = independence - 1; i >= 0; i--) value = (multiply(value, key) + coefficients[i]!) % PRIME;
    return value;
  };
  return {
    independence,
    prime: PRIME,
    coefficients,
    hash,
    bucket: (key, buckets) => {
      positiveInteger(buckets, 'buckets');
      return hash(key) % buckets;
    },
    sign: (key) => (hash(key) % 2 === 0 ? -1 : 1),
  };
}

/** Uniform over [0, prime): 31 random bits, drawn again when they are the prime itself. */
function uniformResidue(generator: Mt19937): number {
  let value = PRIME;
  while (value === PRIME) value = generator.nextUint32() >>> 1;
  return value;
}

/** a · b modulo the prime; a is split into 15 and 16 bits so that every intermediate value stays below 2^53. */
function multiply(a: number, b: number): number {
  const high = ((a >>> 16) * b) % PRIME;
  return (high * 65536 + (a & 0xffff) * b) % PRIME;
}
