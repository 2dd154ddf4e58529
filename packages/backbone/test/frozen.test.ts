import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type Engine,
  type NDArray,
  ndarray,
  QuantisedMatrix,
  Rng,
  type tf,
  treeToRecord,
} from '@palimpsest/tensor-core';
import { afterAll, describe, expect, it } from 'vitest';
import type { FrozenMatrices, FrozenMatrix } from '../src/frozen-transformer.js';
import { createFrozenTransformer } from '../src/frozen-transformer.js';
import {
  loadFrozen,
  loadPretrained,
  type TransformerParameters,
  type WeightFormat,
  weightFormats,
} from '../src/index.js';
import { openCheckpoint } from '../src/pretrained/open-checkpoint.js';
import { storeWeights } from '../src/pretrained/store-weights.js';
import { WeightStore } from '../src/pretrained/weight-store.js';
import { engines, tiny, withEngine } from './helpers.js';

const golden = fileURLToPath(new URL('./golden', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'palimpsest-quantised-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function familyFolder(family: string): string {
  const folder = join(scratch, family);
  mkdirSync(folder, { recursive: true });
  const weights = join(folder, 'model.safetensors');
  rmSync(weights, { force: true });
  symlinkSync(join(golden, 'architectures', family, 'model.safetensors'), weights);
  const cases = JSON.parse(readFileSync(join(golden, 'architectures', family, 'cases.json'), 'utf8'));
  writeFileSync(join(folder, 'config.json'), JSON.stringify(cases[0].config));
  return folder;
}

const IDS = Array.from({ length: 14 }, (_, i) => (5 * i * i + 2 * i + 1) % 48);

interface AnyModel {
  readonly vocabSize: number;
  initState(params: never, batch: number): unknown;
  forward(params: never, tokens: never, state: never, context: never): { logits: tf.Tensor };
  step(params: never, token: never, state: never): { logits: tf.Tensor; state: unknown };
}

/** Logits of every position, read at once and token by token. */
async function logitsOf(engine: Engine, model: AnyModel, params: unknown) {
  const forward = engine.compile(
    (weights: unknown, ids: tf.Tensor) =>
      model.forward(
        weights as never,
        ids as never,
        model.initState(weights as never, 1) as never,
        { training: false } as never,
      ).logits,
    { freeze: [0] },
  );
  const whole = await (
    await forward(params as never, ndarray(Int32Array.from(IDS), [1, IDS.length], 'int32'))
  ).data();
  const start = engine.compile(
    (weights: unknown) => model.initState(weights as never, 1) as { x: tf.Tensor },
  );
  const step = engine.compile(
    (weights: unknown, id: tf.Tensor, state: unknown) =>
      model.step(weights as never, id as never, state as never) as {
        logits: tf.Tensor;
        state: { x: tf.Tensor };
      },
  );
  let state: unknown = await start(params as never);
  const stepped: number[] = [];
  for (const id of IDS) {
    const result = await step(params as never, ndarray(Int32Array.of(id), [1], 'int32'), state as never);
    stepped.push(...(await result.logits.data()));
    state = result.state;
  }
  return { whole, stepped };
}

const spread = (values: ArrayLike<number>) =>
  Math.sqrt(Array.from(values, (value) => value ** 2).reduce((a, b) => a + b, 0) / values.length);

function deviation(values: ArrayLike<number>, expected: ArrayLike<number>): number {
  return spread(Array.from(values, (value, i) => value - expected[i]!)) / spread(expected);
}

/** The weights of a folder in float32, with the values that frozen matrices have. */
async function roundedParams(path: string, format: WeightFormat): Promise<TransformerParameters<NDArray>> {
  const { params } = await loadPretrained(path);
  const matrices = await matricesOf(path, format);
  for (const [key, { data, shape }] of Object.entries(treeToRecord<NDArray>(params))) {
    const matrix = matrices.get(key);
    for (let row = 0; matrix && row < shape[0]!; row++) data.set(rowOf(matrix, row), row * shape[1]!);
  }
  return params;
}

const rowOf = (matrix: FrozenMatrix, row: number) =>
  matrix instanceof QuantisedMatrix ? matrix.row(row) : matrix.rows(row, 1);

const stores: WeightStore[] = [];
afterAll(() => Promise.all(stores.map((store) => store.dispose())));

async function matricesOf(path: string, format: WeightFormat): Promise<FrozenMatrices> {
  const { files, plan, config } = await openCheckpoint(path);
  const store = await WeightStore.create();
  stores.push(store);
  try {
    return (await storeWeights(config, format, plan, files, store)).matrices;
  } finally {
    await files.close();
  }
}

/**
 * Op by op the sums are those of the values; in graphs activations have 8 bits per block as well, which models of large
 * random weights make the most of.
 */
const boundOf = (engine: string, format: WeightFormat) =>
  engine === 'onnx' && (format === '4bit' || format === '8bit') ? 0.08 : 1e-5;

describe.each(engines)('frozen matrices, on %s', (engineName) => {
  const families = ['llama', 'qwen2', 'gemma3', 'smollm3'].map(familyFolder);
  const folders = [
    ...families,
    join(golden, 'hf', 'tiny-gpt2'),
    join(golden, 'hf', 'tiny-llama3'),
    join(golden, 'gguf', 'tiny-llama3.gguf'),
  ];
  it.each(weightFormats.flatMap((format) => folders.map((folder) => ({ folder, format }))))(
    '$folder in $format reads as its rounded values do in float32, whole and token by token',
    async ({ folder, format }) => {
      const plain = await loadPretrained(folder, { capacity: IDS.length });
      const frozen = await loadFrozen(folder, format, { capacity: IDS.length });
      await withEngine(engineName, async (engine) => {
        const expected = await logitsOf(engine, plain.model as never, await roundedParams(folder, format));
        const found = await logitsOf(engine, frozen.model as never, frozen.params);
        const bound = boundOf(engineName, format);
        expect(deviation(found.whole, expected.whole)).toBeLessThan(bound);
        expect(deviation(found.stepped, expected.whole)).toBeLessThan(bound);
        const exact = await logitsOf(engine, plain.model as never, plain.params);
        if (format === '32bit') expect(deviation(found.whole, exact.whole)).toBeLessThan(bound);
        else if (format !== '16bit') expect(deviation(found.whole, exact.whole)).toBeGreaterThan(1e-3);
      });
      await frozen.dispose();
    },
  );
});

describe('blocks of a GGUF file', () => {
  const path = join(golden, 'gguf', 'blocks.gguf');

  const rowsOf = (matrix: QuantisedMatrix, from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => [...matrix.row(from + i)]).flat();

  it.each([
    ['Q8_0', 8, 'tokenEmbedding', 0, 48],
    ['Q4_0, rows that are rotated together', 8, 'blocks.0.queryKeyValue.weight', 0, 32],
    ['Q4_0, rows that are rotated together', 4, 'blocks.1.queryKeyValue.weight', 0, 32],
    ['Q5_0', 8, 'blocks.1.queryKeyValue.weight', 48, 64],
  ] as const)('%s into %i bits are carried over to the bit', async (_type, bits, key, from, to) => {
    const { params } = await loadPretrained(path);
    const [first, index, name] = key.split('.') as [string, string?, string?];
    const weight: NDArray =
      first === 'tokenEmbedding'
        ? params.tokenEmbedding
        : params.blocks[Number(index)]![name as 'queryKeyValue'].weight;
    const width = weight.shape[1]!;
    const matrix = (await matricesOf(path, `${bits}bit`)).get(key) as QuantisedMatrix;
    expect(rowsOf(matrix, from, to)).toEqual([...weight.data.subarray(from * width, to * width)]);
  });

  it('of more bits than are asked for are rounded once', async () => {
    const { params } = await loadPretrained(path);
    const matrix = (await matricesOf(path, '4bit')).get('tokenEmbedding') as QuantisedMatrix;
    const rounded = new QuantisedMatrix(48, 32, 4);
    rounded.setRow(5, Float32Array.from(params.tokenEmbedding.data.subarray(5 * 32, 6 * 32)));
    expect([...matrix.row(5)]).toEqual([...rounded.row(5)]);
  });
});

it('memory is what the bits need', async () => {
  const { matrixBytes, params } = await loadFrozen(familyFolder('llama'), '4bit');
  const { params: all } = await loadPretrained(familyFolder('llama'));
  const count = all.tokenEmbedding.data.length * 2 + 2 * (2 * 32 * 32 + 2 * 16 * 32 + 3 * 40 * 32);
  // 4 bits and a scale of 32 bits for 32 values; rows of 40 end in a block that is not full.
  expect(matrixBytes).toBeGreaterThanOrEqual((count * 5) / 8);
  expect(matrixBytes).toBeLessThan((count * 5.6) / 8);
  expect(Object.keys(params).every((path) => path.endsWith('gain'))).toBe(true);
});

it('a model over frozen matrices is not begun anew, and wants all its matrices', () => {
  expect(() => createFrozenTransformer(tiny, new Map())).toThrow(
    "The matrix 'tokenEmbedding' has the shape [23, 16], but nothing was given.",
  );
  const matrices = new Map([['tokenEmbedding', new QuantisedMatrix(23, 8, 4)]]);
  expect(() => createFrozenTransformer(tiny, matrices)).toThrow('but [23, 8] was given');
});

it('init says why there is none', async () => {
  const { model } = await loadFrozen(familyFolder('llama'), '8bit');
  expect(() => model.init(Rng.fromSeed(1))).toThrow('they cannot be begun anew');
});
