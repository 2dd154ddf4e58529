import { createEngine, gelu, layerNorm, linear, type NDArray, ndarray, tf } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import {
  type BlockParams,
  blockForward,
  createOsamModel,
  type OsamOptions,
  type OsamState,
} from '../src/index.js';
import { maxDifference, randomModel, randomTokens, runPieces, toHost, zeroState } from './support/models.js';

const small = { vocabSize: 9, dModel: 8, sketchDim: 20, readoutHidden: 6, chunk: 5 };

async function runBlock(options: OsamOptions, time = 14) {
  const engine = await createEngine('cpu');
  const { model, params } = randomModel(options);
  const x = ndarray(
    Float32Array.from({ length: 2 * time * 8 }, (_, i) => Math.sin(2.3 * i)),
    [2, time, 8],
  );
  const run = engine.compile((block: BlockParams, e: tf.Tensor, state: OsamState) => {
    const { output, detail } = blockForward(
      block,
      e,
      state.position,
      state.blocks[0]!,
      model.options,
      model.plans[0]!,
      { inspect: true },
    );
    const resting = linear(
      tf.reshape(gelu(block.readout!.hidden.bias), [1, -1]),
      block.readout!.output.weight,
      block.readout!.output.bias,
    );
    const gate = tf.mul(tf.sigmoid(block.gateFeature), model.options.gateCapFeat);
    const skipped = layerNorm(tf.add(e, tf.mul(gate, resting)), block.norm!.gain, block.norm!.bias);
    return { output, skipped, hFeat: detail!.hFeat!, vread: detail!.vread };
  });
  return toHost<Record<'output' | 'skipped' | 'hFeat' | 'vread', NDArray>>(
    await run(params.blocks[0]! as never, x, zeroState(model, 2) as never),
  );
}

/** Rows [batch, time] of width 8 that satisfy a condition on the time. */
function rows(array: NDArray, wanted: (t: number) => boolean): number[] {
  const time = array.shape[1]!;
  return Array.from(array.data).filter((_, i) => wanted(Math.floor(i / 8) % time));
}

describe('reading at every third position', () => {
  it("'zero': the others are LN(e + g readout(0)), and the readers equal those of a model that always reads", async () => {
    const skipping = await runBlock({ ...small, mode: 'parity', kUpdate: 3 });
    const always = await runBlock({ ...small, mode: 'parity' });
    const reads = (t: number) => t % 3 === 0;
    const rests = (t: number) => !reads(t);
    expect(maxDifference(rows(skipping.output, rests), rows(skipping.skipped, rests))).toBeLessThan(1e-6);
    expect(rows(skipping.vread, rests).every((x) => x === 0)).toBe(true);
    expect(maxDifference(rows(skipping.output, reads), rows(always.output, reads))).toBeLessThan(1e-5);
    expect(maxDifference(rows(skipping.output, rests), rows(always.output, rests))).toBeGreaterThan(1e-3);
  });

  it("'hold': the others reuse the last read", async () => {
    const { hFeat, vread } = await runBlock({ ...small, kUpdate: 3 });
    const always = await runBlock(small);
    for (const [held, read] of [
      [hFeat, always.hFeat],
      [vread, always.vread],
    ] as const) {
      const row = (array: NDArray, t: number) => array.data.slice(t * 8, (t + 1) * 8);
      for (let t = 0; t < 14; t++) {
        expect(maxDifference(row(held, t), row(read, 3 * Math.floor(t / 3)))).toBeLessThan(1e-5);
      }
    }
  });

  it('the spectrum in the state changes nothing but rounding', async () => {
    const engine = await createEngine('cpu');
    for (const form of ['fft', 'pairs', 'sequential'] as const) {
      const tokens = randomTokens(2, 21, 9);
      const plain = randomModel({ ...small, mode: 'parity', form });
      const cached = randomModel({ ...small, mode: 'parity', form, freqCache: true });
      const a = await runPieces(engine, plain.model, plain.params, tokens, [21]);
      const b = await runPieces(engine, cached.model, cached.params, tokens, [8, 13]);
      expect(maxDifference(a.logits, b.logits)).toBeLessThan(1e-5);
      expect(b.state.blocks[0]!.spectrum!.shape).toEqual([2, 20, 2]);
    }
  });

  it('skips the work: a step without a read touches no weights of the read-outs, and says the same', async () => {
    const engine = await createEngine('cpu');
    const { model, params } = randomModel({ ...small, kUpdate: 2 });
    const prompt = randomTokens(1, 3, 9);
    const { state } = await runPieces(engine, model, params, prompt, [3]);
    const token = ndarray([4], [1], 'int32');
    const step = (compute: boolean | undefined) =>
      engine.compile((p: Parameters<typeof model.step>[0], x: tf.Tensor1D, s: OsamState) =>
        model.step(p, x, s, compute),
      );
    const run = async (compute: boolean | undefined) =>
      toHost<{ logits: NDArray }>(await step(compute)(params as never, token as never, state as never));
    // Position 3 is odd: it does not read.
    const [told, found] = [await run(false), await run(undefined)];
    expect(maxDifference(told.logits.data, found.logits.data)).toBeLessThan(1e-6);
    const { toOnnx } = await import('@palimpsest/tensor-core');
    const graph = (compute: boolean) =>
      toOnnx(
        (p: Parameters<typeof model.step>[0], x: tf.Tensor1D, s: OsamState) => model.step(p, x, s, compute),
        [params, token, zeroState(model, 1)],
      );
    const [reading, skipping] = [graph(true), graph(false)];
    expect(skipping.nodes).toBeLessThan(0.7 * reading.nodes);
    const readers = /readout\.(hidden|output)\.weight|valueProjection\.(hidden|output)\.weight/;
    const weights = ({ inputs }: typeof reading) => inputs.filter(({ path }) => readers.test(path)).length;
    expect([weights(reading), weights(skipping)]).toEqual([4, 0]);
  });

  it('raises intervals below 1 to 1', () => {
    const { options } = createOsamModel({ ...small, kUpdate: 0, telemetryStride: -3 });
    expect([options.kUpdate, options.telemetryStride]).toEqual([1, 1]);
  });
});
