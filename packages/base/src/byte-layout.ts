/** Keys and values of 8 bits in parts of 64 columns, `[parts, heads]` of bytes and of the steps of their columns. Places are those of numbers. */
export interface ByteRows {
  readonly keys: number;
  readonly keySteps: number;
  readonly values: number;
  readonly valueSteps: number;
  readonly heads: number;
  readonly keyWidth: number;
  readonly valueWidth: number;
}

/** Keys and values of a head: `[count, keyWidth]` and `[count, valueWidth]`. */
export interface HeadRows {
  readonly keys: Float32Array;
  readonly values: Float32Array;
}

/** Terms of a product that stand together as numbers of 16 bits, behind four numbers. */
export const BLOCK = 256;

/** Columns of keys and values that stand together. */
export const PART = 64;

/** A count rounded up to 16. */
export const sixteens = (count: number): number => Math.ceil(count / 16) * 16;

/** Where a byte of `sums` by `terms` is stored, as assembly/bytes.ts says. */
export function byteOf(sum: number, term: number, sums: number, terms: number): number {
  const start = sum - (sum % 32);
  const pair = (start + 16 < sums ? 64 : 32) * (term >> 1) + 2 * (term & 1);
  return start * terms + pair + 2 * (sum & 24) + 4 * (sum & 3) + ((sum & 4) >> 2);
}

/** What is added to the bytes of a sum. */
export const addedTo = (sum: number): number => (sum & 4 ? 0 : 128);

/** The places of a head. */
export function headOf(rows: ByteRows, head: number): ByteRows {
  const { keyWidth, valueWidth } = rows;
  const numbers = head * PART;
  return {
    ...rows,
    keys: rows.keys + (numbers * keyWidth) / 4,
    keySteps: rows.keySteps + numbers,
    values: rows.values + (numbers * sixteens(valueWidth)) / 4,
    valueSteps: rows.valueSteps + numbers,
  };
}

/** What is stored of a head in the first `count` columns, as numbers. @param memory all of the kernels' */
export function readByteRows(memory: Float32Array, rows: ByteRows, head: number, count: number): HeadRows {
  const { keyWidth: k, valueWidth: v, heads } = rows;
  const own = headOf(rows, head);
  const all = new Uint8Array(memory.buffer);
  // Shifting makes a byte of a number from -128 to 127.
  const wholeAt = (at: number, sum: number) => ((all[at]! - addedTo(sum)) << 24) >> 24;
  const [keys, values] = [new Float32Array(count * k), new Float32Array(count * v)];
  for (let column = 0; column < count; column++) {
    const within = column % PART;
    const before = (column - within) * heads;
    const [key, value] = [4 * own.keys + before * k, 4 * own.values + before * sixteens(v)];
    const keyStep = memory[own.keySteps + before + within]!;
    const valueStep = memory[own.valueSteps + before + within]!;
    for (let i = 0; i < k; i++) {
      keys[column * k + i] = wholeAt(key + byteOf(within, i, PART, k), within) * keyStep;
    }
    for (let i = 0; i < v; i++) {
      values[column * v + i] = wholeAt(value + byteOf(i, within, v, PART), i) * valueStep;
    }
  }
  return { keys, values };
}
