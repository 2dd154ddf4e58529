import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  addMatrixLinear,
  createEngine,
  type Engine,
  type Matrix,
  matrixEmbedding,
  matrixLinear,
  ndarray,
  QuantisedMatrix,
  Rng,
  StoredArray,
  type StoredDType,
  StoredMatrix,
  tf,
  toOnnx,
} from '../src/index.js';

const folder = mkdtempSync(join(tmpdir(), 'palimpsest-stored-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const [OUTPUTS, INPUTS] = [70, 96];
const rng = Rng.fromSeed(3);
const numbers = (count: number) => Float32Array.from({ length: count }, () => rng.normal());

/** Writes parts behind each other at places that no page begins at. */
function write(name: string, parts: readonly ArrayBufferView[]): { path: string; offsets: number[] } {
  const offsets: number[] = [];
  const chunks = [Buffer.alloc(12)];
  for (const { buffer, byteOffset, byteLength } of parts) {
    offsets.push(Buffer.concat(chunks).length);
    chunks.push(Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength));
  }
  writeFileSync(join(folder, name), Buffer.concat(chunks));
  // Folders of the hub's cache hold links to files elsewhere.
  symlinkSync(join(folder, name), join(folder, `${name}.link`));
  return { path: join(folder, `${name}.link`), offsets };
}

function stored(dtype: StoredDType, bits: Float32Array | Uint16Array, name: string): StoredMatrix {
  const { path, offsets } = write(name, [bits]);
  return new StoredMatrix(new StoredArray(path, offsets[0]!, [OUTPUTS, INPUTS], dtype));
}

/** The same matrix in memory and in a file. */
function quantised(bits: 4 | 8, name: string): [QuantisedMatrix, QuantisedMatrix] {
  const inMemory = new QuantisedMatrix(OUTPUTS, INPUTS, bits);
  for (let row = 0; row < OUTPUTS; row++) inMemory.setRow(row, numbers(INPUTS));
  const { path, offsets } = write(name, [inMemory.packed, inMemory.scales]);
  const { blocks, blockBytes } = inMemory;
  const inFile = new QuantisedMatrix(OUTPUTS, INPUTS, bits, {
    packed: new StoredArray(path, offsets[0]!, [OUTPUTS, blocks, blockBytes], 'uint8'),
    scales: new StoredArray(path, offsets[1]!, [OUTPUTS, blocks], 'float32'),
  });
  return [inMemory, inFile];
}

const x = ndarray(numbers(3 * INPUTS), [3, INPUTS]);
const ids = ndarray(Int32Array.of(5, 0, OUTPUTS - 1), [3], 'int32');
const residual = ndarray(numbers(3 * OUTPUTS), [3, OUTPUTS]);
const bias = ndarray(numbers(OUTPUTS), [OUTPUTS]);

/** Everything that matrices are used for. */
const uses =
  (matrices: readonly Matrix[]) => (rows: tf.Tensor, tokens: tf.Tensor, r: tf.Tensor, b: tf.Tensor) =>
    tf.concat(
      matrices.flatMap((matrix) => [
        matrixLinear(rows, matrix),
        matrixLinear(rows, matrix, b),
        addMatrixLinear(r, rows, matrix),
        matrixEmbedding(matrix, tokens),
      ]),
      1,
    );

async function resultOf(engine: Engine, matrices: readonly Matrix[]): Promise<Float32Array> {
  const compiled = engine.compile(uses(matrices));
  return (await (await compiled(x, ids, residual, bias)).data()) as Float32Array;
}

const furthest = (a: Float32Array, b: Float32Array) =>
  a.reduce((most, value, index) => Math.max(most, Math.abs(value - b[index]!)), 0);

describe.each(['onnx', 'cpu'] as const)('on %s', (name) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine(name);
  });
  afterAll(() => engine.dispose());

  it.each([8, 4] as const)('%i-bit matrices in files give what those in memory give', async (bits) => {
    const pairs = ['a', 'b', 'c'].map((part) => quantised(bits, `${name}-${bits}-${part}`));
    const expected = await resultOf(
      engine,
      pairs.map(([inMemory]) => inMemory),
    );
    const matrices = pairs.map(([, inFile]) => inFile);
    // The second graph reads what was rearranged for the first.
    for (const _ of [1, 2]) expect(furthest(await resultOf(engine, matrices), expected)).toBe(0);
    if (name === 'onnx') {
      expect(readdirSync(folder).filter((file) => file.startsWith('packed-')).length).toBeGreaterThan(0);
      expect(readdirSync(folder).filter((file) => file.includes('.onnx'))).toEqual([]);
    }
  });

  it('matrices of 32 and 16 bits give the products of their numbers', async () => {
    // A quarter, an eighth: exact in every format.
    const values = numbers(OUTPUTS * INPUTS).map((value) => Math.round(value * 8) / 8);
    const bfloats = Uint16Array.from(new Uint32Array(values.buffer), (pattern) => pattern >>> 16);
    const halves = new Uint16Array(values.length);
    values.forEach((value, i) => {
      const magnitude = Math.abs(value);
      const exponent = magnitude === 0 ? 0 : Math.floor(Math.log2(magnitude));
      const fraction = magnitude === 0 ? 0 : (magnitude / 2 ** exponent - 1) * 1024;
      halves[i] = (value < 0 ? 0x8000 : 0) | (magnitude === 0 ? 0 : (exponent + 15) << 10) | fraction;
    });
    const compiled = engine.compile((...args: tf.Tensor[]) => {
      const [weight, ...rest] = args as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
      return uses([weight, weight, weight])(...rest);
    });
    const weight = ndarray(values, [OUTPUTS, INPUTS]);
    const expected = (await (await compiled(weight, x, ids, residual, bias)).data()) as Float32Array;
    const found = await resultOf(engine, [
      stored('float32', values, `${name}-32`),
      stored('float16', halves, `${name}-16`),
      stored('bfloat16', bfloats, `${name}-b16`),
    ]);
    expect(furthest(found, expected)).toBeLessThan(1e-4);
  });
});

it('an exported model holds what lies in files', () => {
  const matrix = stored('float32', numbers(OUTPUTS * INPUTS), 'exported');
  const { bytes } = toOnnx((rows: tf.Tensor) => matrixLinear(rows, matrix), [x]);
  expect(bytes.length).toBeGreaterThan(matrix.byteLength);
});

it('a file that ends too early is named', () => {
  const { path } = write('short', [new Float32Array(5)]);
  const array = new StoredArray(path, 12, [2, 4], 'float32');
  expect(() => array.read()).toThrow(`${path} ends before its weights do.`);
});

it('a stored matrix is one', () => {
  expect(() => new StoredMatrix(new StoredArray('x', 0, [4], 'float32'))).toThrow('has two axes');
  expect(() => new StoredMatrix(new StoredArray('x', 0, [4, 4], 'uint8'))).toThrow('but got uint8 [4, 4]');
});
