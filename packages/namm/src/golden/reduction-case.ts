import type { GoldenCase, GoldenHandler, GoldenOutputs } from '@palimpsest/base/golden';
import { type Engine, type NDArray, runOnce, tf } from '@palimpsest/tensor-core';
import { resolveNAMMConfig } from '../config.js';
import { gatherTokens, groupMean } from '../features/attention-rows.js';
import { advanceStream, type SpectrumStream } from '../features/stream.js';
import { averageOverTime, type Reduction } from '../features/temporal-average.js';

/** Token-major, as the cases have it: `[batch, heads, width, tokens]` to `[batch, heads, tokens, width]`. */
export const tokenMajor = (x: tf.Tensor): tf.Tensor => tf.transpose(x, [0, 1, 3, 2]);

async function direct(testCase: GoldenCase, engine: Engine): Promise<GoldenOutputs> {
  const { coeff, ...parts } = testCase.config.direct as { coeff: number } & Record<
    string,
    { stride: number; newTokens: number }
  >;
  const outputs: Record<string, GoldenOutputs[string]> = {};
  for (const [name, { stride, newTokens }] of Object.entries(parts)) {
    const reduction: Reduction = { coefficient: coeff, hopLength: stride };
    const values = (more: Partial<Reduction>) => (x: tf.Tensor) =>
      tokenMajor(averageOverTime(tf.unstack(x, 2).map(tokenMajor), undefined, { ...reduction, ...more }));
    const scores = (x: tf.Tensor) =>
      averageOverTime(
        tf.unstack(x, 2).map((frame) => tf.expandDims(frame, 2)),
        undefined,
        { ...reduction, newTokens },
      );
    const given = testCase.array(`in/${name}_values`);
    outputs[`out/${name}_values`] = (await runOnce(engine, values({ newTokens }), given)).data;
    outputs[`out/${name}_valuesNoMask`] = (await runOnce(engine, values({}), given)).data;
    outputs[`out/${name}_scores`] = (await runOnce(engine, scores, testCase.array(`in/${name}_scores`))).data;
  }
  return outputs;
}

async function streamed(testCase: GoldenCase, engine: Engine): Promise<GoldenOutputs> {
  const { nFft, hopLength, coeff } = testCase.config.streaming as {
    nFft: number;
    hopLength: number;
    coeff: number;
  };
  const config = resolveNAMMConfig({ nFft, hopLength, emaCoeff: coeff });
  const outputs: Record<string, GoldenOutputs[string]> = {};
  /** The stream with the attention split in two, which must change nothing. */
  const update = (attention: tf.Tensor, kept: tf.Tensor, before?: SpectrumStream) => {
    const rows = groupMean(attention, attention.shape[1]!);
    const [batch, heads, queries, tokens] = rows.shape as [number, number, number, number];
    const first = tf.slice(rows, [0, 0, 0, 0], [batch, heads, 3, tokens]);
    const rest = tf.slice(rows, [0, 0, 3, 0], [batch, heads, queries - 3, tokens]);
    const stream = advanceStream(config, rest, advanceStream(config, first, before));
    const carried = { average: gatherTokens(stream.average, kept), ring: gatherTokens(stream.ring!, kept) };
    return {
      reduced: tokenMajor(stream.average),
      ema: tokenMajor(carried.average),
      tail: tokenMajor(carried.ring),
      carried,
    };
  };
  let before: SpectrumStream<NDArray> | undefined;
  const step = (index: number) => {
    const [attention, kept] = [testCase.array(`in/u${index}_attn`), testCase.array(`in/u${index}_keep`)];
    return before
      ? runOnce(engine, update, attention, kept, before)
      : runOnce(engine, (a: tf.Tensor, k: tf.Tensor) => update(a, k), attention, kept);
  };
  for (let index = 0; testCase.has(`in/u${index}_attn`); index++) {
    const result = await step(index);
    outputs[`out/u${index}_reduced`] = result.reduced.data;
    outputs[`state/u${index}_ema`] = result.ema.data;
    outputs[`state/u${index}_prevAttnTail`] = result.tail.data;
    before = result.carried;
  }
  return outputs;
}

/** The average over time: of given values, and of spectra that come in pieces. */
export const reductionCase: GoldenHandler = {
  system: 'namm',
  kind: 'ema-reduction',
  run: async (testCase, { engine }) => ({
    ...(await direct(testCase, engine as Engine)),
    ...(await streamed(testCase, engine as Engine)),
  }),
};
