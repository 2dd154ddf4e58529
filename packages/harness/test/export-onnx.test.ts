import { Session } from '@palimpsest/lm';
import { createEngine, type Engine, type NDArray, Rng, treeMap } from '@palimpsest/tensor-core';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ExportedModel, exportOnnx, standardRegistry } from '../src/index.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('cpu');
});
afterAll(() => engine.dispose());

const SMALL: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  osam: { dModel: 8, sketchDim: 8, readoutHidden: 8 },
  rsm: { hiddenSize: 8, numLayers: 1, numHeads: 1, numMemorySlots: 2, windowSize: 4 },
  'om-arc': { dimInput: 8, dimHidden: 8, numLayers: 1, numHeads: 1, segmentLen: 4, stateLen: 2 },
  transformer: { layers: 1, heads: 1, modelWidth: 8, context: 16 },
};
/** The controls share their options. */
const CONTROL = { width: 16, layers: 1 };
const VOCABULARY = 11;

/** A model whose parameters are all random: learned starts are often initialised with zeros. */
function lively(name: string) {
  const architecture = standardRegistry.architecture(name);
  const model = architecture.create(VOCABULARY, SMALL[name] ?? CONTROL);
  const rng = Rng.fromSeed(7);
  const params = treeMap<NDArray, NDArray>(model.init(rng), ({ shape }) => rng.normalArray(shape, 0.3));
  return { model, params };
}

type Feeds = Record<string, Tensor>;
const zeroMemory = ({ inputs }: ExportedModel): Feeds =>
  Object.fromEntries(
    inputs
      .filter(({ initial }) => initial === 0)
      .map(({ name, dtype, shape }) => {
        const size = shape.reduce((product, extent) => product * extent, 1);
        const data = dtype === 'int32' ? new Int32Array(size) : new Float32Array(size);
        return [name, new Tensor(dtype === 'int32' ? 'int32' : 'float32', data, shape)];
      }),
  );

/** A reader of an exported model, who knows what the description says and no more. */
async function reader(exported: ExportedModel) {
  const session = await InferenceSession.create(exported.bytes);
  let memory = zeroMemory(exported);
  const [tokens] = exported.inputs;
  return {
    async read(ids: readonly number[]): Promise<Float32Array> {
      const fed = new Tensor('int32', Int32Array.from(ids), tokens!.shape);
      const result = await session.run({ [tokens!.name]: fed, ...memory });
      memory = Object.fromEntries(
        exported.inputs.flatMap(({ name, next }) => (next ? [[name, result[next]!]] : [])),
      );
      return Float32Array.from(result.logits!.data as Float32Array);
    },
    /** Makes all memory of a lane zeros. */
    forget(lane: number): void {
      for (const { data, dims } of Object.values(memory)) {
        const size = data.length / dims[0]!;
        (data as Float32Array).fill(0, lane * size, (lane + 1) * size);
      }
    },
    release: () => session.release(),
  };
}

/** `found` from `at` on is `right`. */
function expectClose(found: Float32Array, right: Float32Array, at = 0): void {
  for (const [token, value] of right.entries()) expect(found[at + token]).toBeCloseTo(value, 4);
}

const TEXT = [3, 1, 4, 1, 5, 9, 2, 6, 5];

describe.each(standardRegistry.architectures.map(({ name }) => name))('an exported %s', (name) => {
  const { model, params } = lively(name);
  const expected = async (text: readonly number[]) => {
    const session = await Session.create({ engine, model, params });
    await session.append(text);
    const logits = await session.logits();
    await session.dispose();
    return logits;
  };

  it('begins with zeros, whatever its own memory begins with, and has an output for every part of it', async () => {
    const exported = await exportOnnx(model, params);
    expect(exported.inputs[0]).toEqual({ name: 'token', path: '', shape: [1], dtype: 'int32' });
    const others = exported.inputs.slice(1);
    expect(exported.outputs.map((output) => output.name)).toEqual([
      'logits',
      ...others.map(({ next }) => next),
    ]);
    for (const { name: input, next, shape, dtype } of others) {
      expect(next).toBe(`next.${input}`);
      expect(exported.outputs.find((output) => output.name === next)).toMatchObject({ shape, dtype });
    }
    const { read, release } = await reader(exported);
    for (const [index, id] of TEXT.entries()) {
      const logits = await read([id]);
      expectClose(logits, await expected(TEXT.slice(0, index + 1)));
    }
    await release();
  });

  it('begins again in one lane, and the other goes on', async () => {
    const { read, forget, release } = await reader(await exportOnnx(model, params, { batch: 2 }));
    for (const id of TEXT) await read([id, id]);
    forget(1);
    const logits = await read([8, 8]);
    expectClose(logits, await expected([...TEXT, 8]));
    expectClose(logits, await expected([8]), VOCABULARY);
    await release();
  });

  it('reads several tokens at once, call after call', async () => {
    const { read, release } = await reader(await exportOnnx(model, params, { time: 3 }));
    let logits: Float32Array = new Float32Array();
    for (let at = 0; at < TEXT.length; at += 3) logits = await read(TEXT.slice(at, at + 3));
    expectClose(logits, await expected(TEXT), 2 * VOCABULARY);
    await release();
  });
});

it('says in the file how it is used', async () => {
  const { model, params } = lively('osam');
  const { bytes } = await exportOnnx(model, params);
  const text = new TextDecoder('latin1').decode(bytes);
  expect(text).toContain("each output 'next.NAME' is what the input NAME is fed in the next one");
  expect(text).toContain('palimpsest.model');
});
