import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { floatToBfloat, floatToHalf } from '../src/float-formats.js';
import {
  decodeSafetensors,
  encodeSafetensors,
  fromNDArray,
  headerLength,
  InputError,
  ndarray,
  parseHeader,
  type SafeData,
  type SafeDType,
  type SafeTensor,
  toNDArray,
} from '../src/index.js';

const tensorOf: Record<SafeDType, (size: number) => fc.Arbitrary<SafeData>> = {
  F64: (size) => fc.float64Array({ minLength: size, maxLength: size }),
  F8_E4M3: (size) => fc.uint8Array({ minLength: size, maxLength: size }),
  F8_E5M2: (size) => fc.uint8Array({ minLength: size, maxLength: size }),
  I16: (size) => fc.int16Array({ minLength: size, maxLength: size }),
  I8: (size) => fc.int8Array({ minLength: size, maxLength: size }),
  U64: (size) => fc.bigUint64Array({ minLength: size, maxLength: size }),
  U32: (size) => fc.uint32Array({ minLength: size, maxLength: size }),
  U16: (size) => fc.uint16Array({ minLength: size, maxLength: size }),
  F32: (size) => fc.float32Array({ minLength: size, maxLength: size }),
  F16: (size) => fc.uint16Array({ minLength: size, maxLength: size }),
  BF16: (size) => fc.uint16Array({ minLength: size, maxLength: size }),
  I32: (size) => fc.int32Array({ minLength: size, maxLength: size }),
  I64: (size) => fc.bigInt64Array({ minLength: size, maxLength: size }),
  U8: (size) => fc.uint8Array({ minLength: size, maxLength: size }),
  BOOL: (size) => fc.uint8Array({ minLength: size, maxLength: size, max: 1 }),
};

const anyTensor = fc
  .tuple(fc.constantFrom(...(Object.keys(tensorOf) as SafeDType[])), fc.array(fc.nat(5), { maxLength: 3 }))
  .chain(([dtype, shape]) =>
    tensorOf[dtype](shape.reduce((size, extent) => size * extent, 1)).map(
      (data): SafeTensor => ({ dtype, shape, data }),
    ),
  );
const anyName = fc
  .oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', '7', 'a.b', 'é'))
  .filter((name) => name !== '__metadata__');
const anyTensors = fc.uniqueArray(fc.tuple(anyName, anyTensor), { maxLength: 6, selector: ([name]) => name });
const anyMetadata = fc.dictionary(fc.string(), fc.string(), { noNullPrototype: true });

/** A file made by hand: header object, data bytes. */
function file(header: unknown, data: ArrayLike<number> = [], text = JSON.stringify(header)): Uint8Array {
  const json = new TextEncoder().encode(text);
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(Array.from(data), 8 + json.length);
  return bytes;
}

/** The header of a whole file. */
const headerOf = (bytes: Uint8Array) =>
  parseHeader(bytes.subarray(8, 8 + headerLength(bytes, bytes.length, 'F')), bytes.length, 'F');

const tensorBytes = (dtype: SafeDType) =>
  ({ F64: 8, I64: 8, U64: 8, F32: 4, I32: 4, U32: 4, F16: 2, BF16: 2, I16: 2, U16: 2 })[dtype as string] ?? 1;

const bytesOf = (data: SafeData) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

describe('encode and decode', () => {
  test('any tensors and metadata come back bit for bit', () => {
    fc.assert(
      fc.property(anyTensors, anyMetadata, fc.nat(7), (list, metadata, shift) => {
        const encoded = encodeSafetensors(Object.fromEntries(list), metadata);
        // A file in the middle of a larger buffer may be aligned to nothing.
        const shifted = new Uint8Array(encoded.length + shift);
        shifted.set(encoded, shift);
        const decoded = decodeSafetensors(shifted.subarray(shift));
        expect(decoded.metadata).toEqual(metadata);
        expect([...decoded.tensors.keys()].sort()).toEqual(list.map(([name]) => name).sort());
        for (const [name, { dtype, shape, data }] of list) {
          const actual = decoded.tensors.get(name)!;
          expect([actual.dtype, actual.shape]).toEqual([dtype, shape]);
          expect(actual.data.constructor).toBe(data.constructor);
          expect(bytesOf(actual.data)).toEqual(bytesOf(data));
        }
        for (const { dtype, begin } of headerOf(encoded).entries.values()) {
          expect(begin % tensorBytes(dtype as SafeDType)).toBe(0);
        }
      }),
    );
  });

  test('a file is laid out as the format says', () => {
    const bytes = encodeSafetensors(
      {
        weight: { dtype: 'F32', shape: [2], data: Float32Array.of(1, -2) },
        flag: { dtype: 'BOOL', shape: [], data: Uint8Array.of(1) },
      },
      { origin: 'test' },
    );
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect((8 + length) % 8).toBe(0);
    expect(JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)))).toEqual({
      __metadata__: { origin: 'test' },
      weight: { dtype: 'F32', shape: [2], data_offsets: [0, 8] },
      flag: { dtype: 'BOOL', shape: [], data_offsets: [8, 9] },
    });
    expect(Array.from(bytes.subarray(8 + length))).toEqual([0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 1]);
  });

  test('decoded tensors share no memory with the file', () => {
    const bytes = Buffer.from(
      encodeSafetensors({ a: { dtype: 'U8', shape: [2], data: Uint8Array.of(1, 2) } }),
    );
    const { tensors } = decodeSafetensors(bytes);
    bytes.fill(0xff);
    expect(Array.from(tensors.get('a')!.data as Uint8Array)).toEqual([1, 2]);
  });

  test.each([
    [
      'values that do not fill the shape',
      { a: { dtype: 'F32', shape: [3], data: new Float32Array(2) } },
      /'a' has shape \[3\] but holds 2 values/,
    ],
    [
      'values of another type',
      { a: { dtype: 'F16', shape: [2], data: new Float32Array(2) } },
      /'a' of dtype F16 needs its values in a Uint16Array, not in a Float32Array/,
    ],
    [
      'an unknown dtype',
      { a: { dtype: 'C64', shape: [1], data: new Float32Array(2) } },
      /'a' has dtype C64; use F64, F32, F16/,
    ],
    [
      'the name of the metadata',
      { __metadata__: { dtype: 'U8', shape: [1], data: new Uint8Array(1) } },
      /cannot be named '__metadata__'/,
    ],
  ])('%s are refused', (_what, tensors, message) => {
    expect(() => encodeSafetensors(tensors as never)).toThrow(message);
  });
});

describe('torn and foreign files', () => {
  const good = { dtype: 'F32', shape: [2], data_offsets: [0, 8] };
  const eight = new Uint8Array(8);

  test.each<[string, Uint8Array, RegExp]>([
    ['no bytes', new Uint8Array(0), /^x\.bin is empty/],
    ['seven bytes', new Uint8Array(7), /only 7 bytes/],
    [
      'a header longer than the file',
      Uint8Array.of(200, 0, 0, 0, 0, 0, 0, 0, 123, 125),
      /its header would take 200 bytes of a file of 10/,
    ],
    [
      'a header longer than memory',
      new Uint8Array(16).fill(0xff),
      /^x\.bin is not a safetensors file, or is cut off/,
    ],
    [
      'another format',
      new TextEncoder().encode('PK\u0003\u0004 zip archive'),
      /^x\.bin is not a safetensors file/,
    ],
    ['text instead of JSON', file({}, [], 'hello!!!'), /header is not JSON/],
    ['broken UTF-8', Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe), /header is not JSON/],
    ['a list as header', file([1]), /header is not an object/],
    ['null as header', file(null), /header is not an object/],
    [
      'metadata that are no strings',
      file({ __metadata__: { a: 1 } }),
      /'__metadata__' is not a record of strings/,
    ],
    ['metadata that are a list', file({ __metadata__: ['a'] }), /'__metadata__' is not a record of strings/],
    ['an entry that is no object', file({ w: 3 }), /entry of 'w' has no valid dtype, shape and offsets/],
    ['an empty entry', file({ w: null }), /entry of 'w' has no valid dtype, shape and offsets/],
    ['a negative extent', file({ w: { ...good, shape: [-2] } }, eight), /entry of 'w'/],
    ['a broken extent', file({ w: { ...good, shape: [1.5] } }, eight), /entry of 'w'/],
    ['three offsets', file({ w: { ...good, data_offsets: [0, 8, 8] } }, eight), /entry of 'w'/],
    ['a dtype that is no name', file({ w: { ...good, dtype: 7 } }, eight), /entry of 'w'/],
    [
      'another size of a dtype that is not read',
      file({ w: { ...good, dtype: 'C64' } }, eight),
      /'w' of shape \[2\] and dtype C64 needs 16 bytes/,
    ],
    [
      'data that are cut off',
      file({ w: good }, new Uint8Array(7)),
      /^x\.bin is cut off: 'w' ends at byte 8 of the data, but only 7 are there\.$/,
    ],
    [
      'offsets of another size',
      file({ w: { ...good, shape: [1] } }, eight),
      /'w' of shape \[1\] and dtype F32 needs 4 bytes, but its offsets give 8/,
    ],
    [
      'offsets in the wrong order',
      file({ w: { ...good, data_offsets: [8, 0] } }, eight),
      /needs 8 bytes, but its offsets give -8/,
    ],
    [
      'overlapping data',
      file({ w: good, v: { ...good, shape: [1], data_offsets: [4, 8] } }, eight),
      /the data of 'v' overlaps that of 'w'/,
    ],
    ['the same data twice', file({ w: good, v: good }, eight), /overlaps/],
    [
      'a hole',
      file({ w: good, v: { ...good, data_offsets: [12, 20] } }, new Uint8Array(20)),
      /4 bytes before the data of 'v' belong to no tensor/,
    ],
    [
      'bytes behind the last tensor',
      file({ w: good }, new Uint8Array(9)),
      /the last 1 bytes belong to no tensor/,
    ],
  ])('%s', (_what, bytes, message) => {
    expect(() => decodeSafetensors(bytes, 'x.bin')).toThrow(message);
    expect(() => decodeSafetensors(bytes, 'x.bin')).toThrow(InputError);
  });

  test('a file cut off anywhere is refused', () => {
    fc.assert(
      fc.property(
        anyTensors,
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (list, share) => {
          const bytes = encodeSafetensors(Object.fromEntries(list));
          const cut = bytes.subarray(0, Math.floor(share * bytes.length));
          expect(() => decodeSafetensors(cut, 'torn')).toThrow(/^torn /);
        },
      ),
    );
  });

  test('random bytes never crash the reader in another way', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(() => decodeSafetensors(bytes)).toThrow(InputError);
      }),
    );
  });
});

test.each(['C64', 'F4', 'of tomorrow', 'toString'])(
  'a tensor of dtype %s keeps no other from being read',
  (dtype) => {
    const shape = dtype === 'F4' ? [32] : [2];
    const entry = { dtype, shape, data_offsets: [8, 24] };
    const bytes = file(
      { w: { dtype: 'F32', shape: [2], data_offsets: [0, 8] }, other: entry },
      new Uint8Array(24),
    );
    const { tensors, unread } = decodeSafetensors(bytes, 'x.bin');
    expect([...tensors.keys()]).toEqual(['w']);
    expect([...unread]).toEqual([['other', dtype]]);
  },
);

test('whole numbers of all sizes become int32, where they fit, and 64-bit floats float32', () => {
  const read = (dtype: SafeDType, data: SafeData) => toNDArray({ dtype, shape: [data.length], data }, 'w');
  expect(read('I8', Int8Array.of(-1))).toMatchObject({ dtype: 'int32', data: Int32Array.of(-1) });
  expect(read('U16', Uint16Array.of(65535)).data).toEqual(Int32Array.of(65535));
  expect(read('U64', BigUint64Array.of(7n)).data).toEqual(Int32Array.of(7));
  expect(() => read('U32', Uint32Array.of(2 ** 31))).toThrow(
    "'w' holds 2147483648, which does not fit into 32 bits.",
  );
  expect(read('F64', Float64Array.of(0.1, 1e300)).data).toEqual(Float32Array.of(Math.fround(0.1), Infinity));
});

test('known 8-bit floating patterns', () => {
  const values = (dtype: 'F8_E4M3' | 'F8_E5M2', ...bits: number[]) =>
    Array.from(toNDArray({ dtype, shape: [bits.length], data: Uint8Array.from(bits) }).data);
  expect(values('F8_E4M3', 0x38, 0xc0, 0x7e, 0x01, 0x08, 0x7f, 0x80)).toEqual([
    1,
    -2,
    448,
    2 ** -9,
    2 ** -6,
    NaN,
    -0,
  ]);
  expect(values('F8_E5M2', 0x3c, 0xc0, 0x7b, 0x01, 0x7c, 0x7d)).toEqual([
    1,
    -2,
    57344,
    2 ** -16,
    Infinity,
    NaN,
  ]);
});

describe('16-bit floating formats', () => {
  const values = (dtype: 'F16' | 'BF16', ...bits: number[]) =>
    Array.from(toNDArray({ dtype, shape: [bits.length], data: Uint16Array.from(bits) }).data);

  test('known half-precision patterns', () => {
    expect(values('F16', 0x3c00, 0xc000, 0x7bff, 0x0400, 0x03ff, 0x0001, 0x3555)).toEqual([
      1,
      -2,
      65504,
      2 ** -14,
      1023 * 2 ** -24,
      2 ** -24,
      0.333251953125,
    ]);
    expect(values('F16', 0x0000, 0x8000, 0x7c00, 0xfc00, 0x7e00, 0x7c01, 0x8001)).toEqual([
      0,
      -0,
      Infinity,
      -Infinity,
      NaN,
      NaN,
      -(2 ** -24),
    ]);
  });

  test('known bfloat16 patterns', () => {
    expect(values('BF16', 0x3f80, 0xc000, 0x7f7f, 0x0080, 0x0001, 0x4049)).toEqual([
      1,
      -2,
      3.3895313892515355e38,
      2 ** -126,
      2 ** -133,
      3.140625,
    ]);
    expect(values('BF16', 0x0000, 0x8000, 0x7f80, 0xff80, 0x7fc0)).toEqual([0, -0, Infinity, -Infinity, NaN]);
  });

  test('floats round to the nearest half, ties to even', () => {
    const cases: [number, number][] = [
      [1 + 2 ** -11, 0x3c00],
      [1 + 3 * 2 ** -11, 0x3c02],
      [1 + 2 ** -11 + 2 ** -20, 0x3c01],
      [2 - 2 ** -12, 0x4000],
      [65519.99, 0x7bff],
      [65520, 0x7c00],
      [-1e10, 0xfc00],
      [2 ** -25, 0x0000],
      [2 ** -25 * 1.0001, 0x0001],
      [1023.75 * 2 ** -24, 0x0400],
      [-0, 0x8000],
    ];
    for (const [value, bits] of cases) expect(floatToHalf(value), String(value)).toBe(bits);
    expect(floatToHalf(NaN) & 0x7fff).toBe(0x7e00);
  });

  test('floats round to the nearest bfloat16, ties to even', () => {
    const cases: [number, number][] = [
      [1 + 2 ** -8, 0x3f80],
      [1 + 3 * 2 ** -8, 0x3f82],
      [1 + 2 ** -8 + 2 ** -20, 0x3f81],
      [3.4028234663852886e38, 0x7f80],
      [-Infinity, 0xff80],
      [-0, 0x8000],
    ];
    for (const [value, bits] of cases) expect(floatToBfloat(value), String(value)).toBe(bits);
    expect(floatToBfloat(NaN) & 0x7fff).toBe(0x7fc0);
  });

  test.each(['F16', 'BF16'] as const)('every %s pattern survives float32', (dtype) => {
    const bits = Uint16Array.from({ length: 2 ** 16 }, (_, pattern) => pattern);
    const floats = toNDArray({ dtype, shape: [bits.length], data: bits });
    const back = fromNDArray(floats, dtype).data as Uint16Array;
    const wrong = bits.filter((pattern) => !Number.isNaN(floats.data[pattern]!) && back[pattern] !== pattern);
    expect(wrong).toHaveLength(0);
    const notNumbers = bits.filter((pattern) => Number.isNaN(floats.data[pattern]!)).length;
    expect(notNumbers).toBe(2 * (dtype === 'F16' ? 2 ** 10 - 1 : 2 ** 7 - 1));
  });

  test.each(['F16', 'BF16'] as const)('no %s number is nearer than the one that was chosen', (dtype) => {
    fc.assert(
      fc.property(fc.float({ min: -60000, max: 60000, noNaN: true }), (value) => {
        const chosen = fromNDArray(ndarray([value]), dtype).data[0] as number;
        const distance = (bits: number) => Math.abs(values(dtype, bits)[0]! - value);
        for (const neighbour of [chosen - 1, chosen + 1]) {
          if ((neighbour & 0x7fff) === 0x7fff || neighbour < 0 || neighbour > 0xffff) continue;
          expect(distance(chosen)).toBeLessThanOrEqual(distance(neighbour));
        }
      }),
    );
  });
});

describe('arrays to compute with', () => {
  test('every dtype has its counterpart', () => {
    const as = (dtype: SafeDType, data: SafeData) => toNDArray({ dtype, shape: [2], data });
    expect(as('F32', Float32Array.of(1.5, -2))).toEqual(ndarray([1.5, -2]));
    expect(as('I32', Int32Array.of(1, -2))).toEqual(ndarray([1, -2], [2], 'int32'));
    expect(as('U8', Uint8Array.of(1, 255))).toEqual(ndarray([1, 255], [2], 'int32'));
    expect(as('BOOL', Uint8Array.of(1, 0))).toEqual(ndarray([1, 0], [2], 'bool'));
    expect(as('I64', BigInt64Array.of(2n ** 31n - 1n, -(2n ** 31n)))).toEqual(
      ndarray([2 ** 31 - 1, -(2 ** 31)], [2], 'int32'),
    );
  });

  test('a 64-bit integer that does not fit is named', () => {
    const tensor: SafeTensor = { dtype: 'I64', shape: [1], data: BigInt64Array.of(2n ** 31n) };
    expect(() => toNDArray(tensor, 'ids')).toThrow(/'ids' holds 2147483648, which does not fit into 32 bits/);
  });

  test('arrays of every dtype are stored as they are', () => {
    for (const array of [ndarray([1, 2]), ndarray([1, 2], [2], 'int32'), ndarray([1, 0], [2], 'bool')]) {
      expect(toNDArray(fromNDArray(array))).toEqual(array);
    }
    expect(fromNDArray(ndarray([1, 2], [2], 'int32'), 'BF16').dtype).toBe('I32');
  });
});

describe('what was decoded can be encoded again', () => {
  const tensors = {
    tensors: { dtype: 'F32' as const, shape: [2], data: Float32Array.of(1, -2) },
    metadata: { dtype: 'I64' as const, shape: [], data: BigInt64Array.of(5n) },
    unread: { dtype: 'U8' as const, shape: [3], data: Uint8Array.of(7, 8, 9) },
  };

  test('byte for byte, with its metadata or with other', () => {
    const bytes = encodeSafetensors(tensors, { format: 'pt' });
    const file = decodeSafetensors(bytes);
    expect(encodeSafetensors(file)).toEqual(bytes);
    expect(encodeSafetensors(file.tensors, { format: 'pt' })).toEqual(bytes);
    expect(decodeSafetensors(encodeSafetensors(file, {})).metadata).toEqual({});
    expect([...decodeSafetensors(encodeSafetensors(file)).tensors.keys()]).toEqual(Object.keys(tensors));
  });

  test('tensors that were not read are not lost in silence', () => {
    const file = { ...decodeSafetensors(encodeSafetensors(tensors)), unread: new Map([['scale', 'F4']]) };
    expect(() => encodeSafetensors(file)).toThrow(InputError);
    expect(() => encodeSafetensors(file)).toThrow(/'scale' has dtype F4/);
    expect(decodeSafetensors(encodeSafetensors(file.tensors)).tensors.size).toBe(3);
  });
});
