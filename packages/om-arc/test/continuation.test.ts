import {
  type Compiled,
  createEngine,
  type DeviceArray,
  type Engine,
  type NDArray,
  ndarray,
  tf,
  treeLeaves,
  treeMap,
  treeZip,
} from '@palimpsest/tensor-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { runOnce } from '../src/golden/case-parts.js';
import { createOmModel, OmLLM, type OmState } from '../src/index.js';
import type { OmParams } from '../src/parameters.js';
import { columns, distance, leaky, lively, randomIds, small, variants } from './support/variants.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('onnx');
});
afterAll(() => engine.dispose());

type Host = Record<string, NDArray>;
interface Read {
  readonly logits: NDArray;
  readonly state: unknown;
}

type Options = Parameters<typeof createOmModel>[0];
type Reader = Compiled<readonly unknown[], unknown>;
let readers = new Map<string, Reader>();

/** One compiled reader per model and number of tokens. */
function readerOf(options: Options, size: number): Reader {
  const key = `${size} ${JSON.stringify(options)}`;
  const model = createOmModel(options);
  const run = (p: unknown, tokens: unknown, state: unknown) => {
    const [params, ids, before] = [p as OmParams, tokens as tf.Tensor2D, state as OmState];
    if (size > 1) return model.forward(params, ids, before, { training: false });
    const { logits, state: next } = model.step(params, tf.squeeze(ids, [1]), before);
    return { logits: tf.expandDims(logits, 1), state: next };
  };
  const reader = readers.get(key) ?? engine.compile(run);
  readers.set(key, reader);
  return reader;
}

afterEach(async () => {
  for (const reader of readers.values()) await reader.dispose();
  readers = new Map();
});

/** Reads a text in pieces of the given sizes and gives all logits and the last state. */
async function readIn(
  options: Options,
  params: OmParams<NDArray>,
  ids: NDArray<'int32'>,
  sizes: readonly number[],
  start?: object,
) {
  const model = createOmModel(options);
  const [batch] = ids.shape as [number];
  let state: object = start ?? (await runOnce(engine, (p: OmParams) => model.initState(p, batch), params));
  const pieces: NDArray[] = [];
  let at = 0;
  for (const size of sizes) {
    const piece = columns(ids, at, at + size);
    const result = (await toHost(
      await readerOf(options, size)(params as never, piece, state as never),
    )) as Read;
    pieces.push(result.logits);
    state = result.state as object;
    at += size;
  }
  return { logits: joinColumns(pieces), state };
}

async function toHost(tree: unknown): Promise<unknown> {
  const host = new Map<string, NDArray>();
  for (const { path, leaf } of treeLeaves<DeviceArray>(tree)) {
    host.set(path, await leaf.toHost());
    leaf.dispose();
  }
  return treeMap<DeviceArray, NDArray>(tree, (_leaf, path) => host.get(path)!);
}

function joinColumns(pieces: readonly NDArray[]): number[][] {
  const batch = pieces[0]!.shape[0]!;
  return Array.from({ length: batch }, (_, row) =>
    pieces.flatMap((piece) => {
      const size = piece.data.length / batch;
      return Array.from(piece.data.slice(row * size, (row + 1) * size));
    }),
  );
}

/** The whole text in one call of the model's other door. */
async function readWhole(
  options: Parameters<typeof createOmModel>[0],
  params: OmParams<NDArray>,
  ids: NDArray<'int32'>,
) {
  const model = new OmLLM(options);
  const g = model.config.initNgrams.concat(model.config.initConvs).reduce((a, b) => Math.max(a, b), 1) - 1;
  const [batch, time] = ids.shape as [number, number];
  const padded = ndarray(
    Int32Array.from({ length: batch * (g + time) }, (_, i) => {
      const column = i % (g + time);
      return column < g ? model.config.padId : ids.data[Math.floor(i / (g + time)) * time + column - g]!;
    }),
    [batch, g + time],
    'int32',
  );
  const result = await runOnce(
    engine,
    (p: OmParams, x: tf.Tensor) => {
      const { logits, states } = model.forward(p, x);
      return { logits: tf.slice(logits, [0, 0, 0], [-1, -1, model.config.vocabSize]), states };
    },
    params,
    padded as never,
  );
  return {
    logits: joinColumns([result.logits as unknown as NDArray]),
    states: result.states as unknown as NDArray[],
  };
}

/** Parts of a state that mean something: keys behind the position are left out. */
function meaning(state: unknown, options: { stateLen: number }): Record<string, number[]> {
  const { position, ...rest } = state as { position: NDArray } & Host;
  const leaves = treeLeaves<NDArray>(rest).map(({ path, leaf }) => {
    if (!path.startsWith('keys.')) return [path, Array.from(leaf.data)] as const;
    const [, groups, rows, width] = leaf.shape as [number, number, number, number];
    const kept: number[] = [];
    for (let i = 0; i < leaf.data.length; i++) {
      const row = Math.floor(i / width) % rows;
      const text = Math.floor(i / (width * rows * groups));
      if (row < options.stateLen + position.data[text]!) kept.push(leaf.data[i]!);
    }

    return [path, kept] as const;
  });
  return Object.fromEntries([['position', Array.from(position.data)], ...leaves]);
}

const time = 13;

describe.each(Object.entries(variants))('%s', (_name, variant) => {
  const options = { ...small, ...variant };
  const params = lively((rng) => createOmModel(options).init(rng));
  const ids = randomIds(2, time, small.vocabSize);

  it('reads any pieces as it reads the whole', async () => {
    const whole = await readWhole(options, params, ids);
    const ways = [[13], [3, 1, 1, 6, 2], new Array<number>(13).fill(1), [10, 3]];
    const states: Record<string, number[]>[] = [];
    for (const sizes of ways) {
      const { logits, state } = await readIn(options, params, ids, sizes);
      for (const [text, row] of logits.entries())
        expect(distance(row, whole.logits[text]!)).toBeLessThan(2e-4);
      states.push(meaning(state, options));
    }
    for (const state of states) {
      for (const [path, values] of Object.entries(state)) {
        expect(distance(values, states[0]![path]!), path).toBeLessThan(2e-4);
      }
    }
  }, 120_000);

  it('goes on from different positions side by side', async () => {
    const [first, second] = [
      await readIn(options, params, ids, [2]),
      await readIn(options, params, ids, [4]),
    ];
    const mixed = treeZip<NDArray, NDArray>([first.state, second.state], ([a, b]) => {
      const half = a!.data.length / 2;
      const data = a!.data.slice();
      data.set(b!.data.slice(half), half);
      return { ...a!, data } as NDArray;
    });
    const moved = columns(ids, 0, 6);
    for (let row = 0; row < 2; row++)
      moved.data.set(ids.data.slice(row * time + (row === 0 ? 2 : 4)).slice(0, 6), row * 6);
    const result = await readIn(options, params, moved, [6], mixed as object);
    const whole = await readWhole(options, params, ids);
    result.logits.forEach((row, text) => {
      const from = (text === 0 ? 2 : 4) * small.vocabSize;
      expect(distance(row, whole.logits[text]!.slice(from, from + row.length))).toBeLessThan(2e-4);
    });
  }, 120_000);
});

describe.each(Object.entries(leaky))('%s', (_name, variant) => {
  it('predicts every token from the segment so far, as a call for the next token does', async () => {
    const options = { ...small, ...variant };
    const params = lively((rng) => createOmModel(options).init(rng));
    const ids = randomIds(2, 8, small.vocabSize);
    const { logits } = await readIn(options, params, ids, [4, 1, 3]);
    const model = new OmLLM(options);
    for (const length of [1, 3, 5, 8]) {
      const result = await runOnce(
        engine,
        (p: OmParams, x: tf.Tensor) => {
          const pads = tf.fill([2, 2], model.config.padId, 'int32');
          return tf.slice(
            model.forward(p, tf.concat([pads, x], 1), [], true).logits,
            [0, 0, 0],
            [-1, -1, small.vocabSize],
          );
        },
        params,
        columns(ids, 0, length) as never,
      );
      const expected = joinColumns([result as unknown as NDArray]);
      expected.forEach((row, text) => {
        const from = (length - 1) * small.vocabSize;
        expect(distance(logits[text]!.slice(from, from + small.vocabSize), row)).toBeLessThan(2e-4);
      });
    }
  }, 120_000);
});

it('is the same on the plain processor engine', async () => {
  const cpu = await createEngine('cpu');
  const params = lively((rng) => createOmModel(small).init(rng));
  const ids = randomIds(2, 7, small.vocabSize);
  const model = createOmModel(small);
  const run = (p: OmParams, tokens: tf.Tensor) =>
    model.forward(p, tokens as tf.Tensor2D, model.initState(p, 2), { training: false }).logits;
  const [a, b] = [
    await runOnce(cpu, run, params, ids as never),
    await runOnce(engine, run, params, ids as never),
  ] as unknown as NDArray[];
  await cpu.dispose();
  expect(distance(a!.data, b!.data)).toBeLessThan(1e-4);
});
